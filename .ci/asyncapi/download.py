"""Downloads AsyncAPI's JSON schema from the npm registry, unless it is there, and prints its path; .ci/events calls it.

    python .ci/asyncapi/download.py DIRECTORY

npm is used if it is installed, since it knows the configured registry; without it, the registry is that of the variable
npm_config_registry, or npm's own.
"""

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

PACKAGE, VERSION = "@asyncapi/specs", "6.11.1"
# As in the registry's metadata: `npm view @asyncapi/specs@VERSION dist.integrity`.
INTEGRITY = "sha512-A3WBLqAKGoJ2+6FWFtpjBlCQ1oFCcs4GxF7zsIGvNqp/klGUHjlA3aAcZ9XMMpLGE8zPeYDz2x9FmO6DSuKraQ=="
FILE = "package/schemas/3.0.0.json"


def main(directory):
    schema = Path(directory) / f"asyncapi-specs-{VERSION}.json"
    if not schema.exists():
        try:
            archive = packed() if shutil.which("npm") else fetched()
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"cannot download {PACKAGE} {VERSION} from the npm registry: {error}")
        found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
        if found != INTEGRITY:
            sys.exit(f"{PACKAGE} {VERSION} has the integrity {found}: expected {INTEGRITY}")
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            content = files.extractfile(FILE).read()
        # At once, so that an interruption leaves no part of it.
        partial = schema.with_suffix(".partial")
        partial.write_bytes(content)
        partial.replace(schema)
    print(schema)


def packed():
    with tempfile.TemporaryDirectory() as directory:
        command = ["npm", "pack", "--loglevel=error", "--ignore-scripts", "--pack-destination", directory]
        subprocess.run([*command, f"{PACKAGE}@{VERSION}"], check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(directory).iterdir()
        return archive.read_bytes()


def fetched():
    names = ("npm_config_registry", "NPM_CONFIG_REGISTRY")
    registry = next(filter(None, map(os.environ.get, names)), "https://registry.npmjs.org")
    url = f"{registry.rstrip('/')}/{PACKAGE}/-/{PACKAGE.split('/')[1]}-{VERSION}.tgz"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
