# Sourced by the commands in this folder: where things lie, and the environment QGIS runs in.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
engine_venv=$root/.venv     # torch, rasterio; runs the worker and the tests of core/
qgis_venv=$root/.venv-qgis  # QGIS's own Python packages and pytest; never torch
engine_python=$engine_venv/bin/python
qgis_python=$qgis_venv/bin/python
# never the first python3 on PATH: that may be pyenv's or conda's, and knows no QGIS
system_python=${QGIS_PYTHON:-/usr/bin/python3}

# Debian 12's wrappers pass a wrong option on; the programs beside them are right
qgis_program() { command -v "$1.bin" || command -v "$1"; }

# qgis_environment PROFILE: this working tree as the only plugin besides Processing, in a profile of its own.
# The settings are written anew each time; the user's own profile is never touched.
qgis_environment() {
  export QGIS_CUSTOM_CONFIG_PATH=$qgis_venv/profiles/$1 QGIS_PLUGINPATH=$qgis_venv/plugins
  export HYPERRES_PYTHON=${HYPERRES_PYTHON:-$engine_python}
  export PYTHONWARNINGS=ignore PYTHONDONTWRITEBYTECODE=1
  unset PYTHONPATH PYTHONHOME
  private_runtime_dir
  local folder=$QGIS_CUSTOM_CONFIG_PATH/profiles/default/QGIS settings
  mkdir -p "$folder"
  settings=$(mktemp "$folder/new.XXXXXX")
  printf '%s\n' '[PythonPlugins]' 'processing=true' 'hyperres=true' '[qgis]' 'checkVersion=false' 'showTips=false' > "$settings"
  cp "$settings" "$settings.4"
  mv "$settings" "$folder/QGIS3.ini"  # renamed, so that a run beside this one never reads half a file
  mv "$settings.4" "$folder/QGIS4.ini"
}

# Qt asks for a private folder and warns without one
private_runtime_dir() {
  if [ ! -d "${XDG_RUNTIME_DIR:-}" ]; then
    export XDG_RUNTIME_DIR=$qgis_venv/run
    mkdir -p -m 700 "$XDG_RUNTIME_DIR"
  fi
}
