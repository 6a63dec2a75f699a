# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages are safe, self-contained and complete."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

from hyperres.core.report.page import Figure, Section, Table, render

NASTY = '<script>alert(1)</script> "quoted" & <img src=x onerror=1>'


class Collector(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text.append(data)


def parse(page):
    collector = Collector()
    collector.feed(page)
    assert not collector.open
    return collector


def nasty_page():
    table, facts = Table((NASTY,), ((NASTY,),)), Table((), ((NASTY, NASTY),))
    figures = [Figure(NASTY, svg="<svg xmlns='http://www.w3.org/2000/svg'/>"), Figure(NASTY, png=b"\x89PNG")]
    section = Section(NASTY, [NASTY], [table, facts], figures, kind="warning")
    return render(NASTY, [section], NASTY, NASTY)


def test_foreign_text_never_becomes_markup():
    page = parse(nasty_page())
    assert "script" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "".join(page.text).count(NASTY) >= 8


def test_nothing_is_loaded_from_anywhere():
    page = nasty_page()
    for tag, attrs in parse(page).tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert attrs.get("src", "data:").startswith("data:")
    style = re.search(r"<style>(.*?)</style>", page, re.S).group(1)
    assert "url(" not in style and "@import" not in style
    assert "default-src 'none'" in page


def test_pictures_arrive_unharmed_as_data_uris():
    svg, png = "<svg xmlns='http://www.w3.org/2000/svg'><!-- ü --></svg>", bytes(range(256))
    page = render("t", [Section("s", figures=[Figure("a", svg=svg), Figure("b", png=png)])])
    sources = [attrs["src"] for tag, attrs in parse(page).tags if tag == "img"]
    assert [base64.b64decode(source.partition(",")[2]) for source in sources] == [svg.encode(), png]
    assert [source.partition(";")[0] for source in sources] == ["data:image/svg+xml", "data:image/png"]


def test_numbers_line_up_on_the_right_and_words_do_not():
    page = render("t", [Section("s", tables=[Table(("name", "value"), (("soil", "0.25 %"), ("3 soils", "word")))])])
    assert re.search(r'<td class="number"[^>]*>0.25 %</td>', page)
    assert "<td>soil</td>" in page and "<td>3 soils</td>" in page


def test_both_colour_schemes_are_styled():
    assert "prefers-color-scheme: dark" in render("t", [])
    assert '<meta name="color-scheme" content="light dark">' in render("t", [])
