# What pip is told by its files and variables about reaching a package index, as one JSON object: each option with its text.
# The files and their order are those of pip's documentation, "Configuration"; one that cannot be read is left out.
import configparser
import json
import os
import sys

OPTIONS = sys.argv[1:]

home = os.path.expanduser("~")
if sys.platform == "darwin":
    systems = ["/Library/Application Support/pip"]
    own = os.path.join(home, "Library/Application Support/pip")
    user = own if os.path.isdir(own) else os.path.join(home, ".config/pip")
else:
    directories = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    systems = [os.path.join(directory, "pip") for directory in directories.split(":") if directory] + ["/etc"]
    user = os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "pip")
files = [os.path.join(directory, "pip.conf") for directory in systems]
named = os.environ.get("PIP_CONFIG_FILE")
if named == os.devnull:
    files = []
elif named and os.path.exists(named):
    files.append(named)
else:
    files += [os.path.join(home, ".pip/pip.conf"), os.path.join(user, "pip.conf")]

said = {}
for file in files:
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
    except (configparser.Error, OSError, ValueError):
        continue
    for section in parser.sections():
        for name, value in parser.items(section):
            said[section, name.lower().replace("_", "-").lstrip("-")] = value

answer = {}
for option in OPTIONS:
    variable = os.environ.get("PIP_" + option.upper().replace("-", "_"))
    value = variable or said.get(("install", option)) or said.get(("global", option))
    if value and value.strip():
        answer[option] = value
print(json.dumps(answer))
