//! A developer's settings, each of which would break a process that inherited it.

use std::{ffi::OsString, path::Path};

/// An address without a listener.
const NOBODY: &str = "http://127.0.0.1:1";

const AWS_CONFIG: &str = "\
[default]
region = eu-west-3
use_fips_endpoint = true
use_dualstack_endpoint = true
ignore_configured_endpoint_urls = true
endpoint_url = http://127.0.0.1:1
max_attempts = 1
[profile elsewhere]
source_profile = nowhere
role_arn = arn:aws:iam::000000000000:role/none
";

const PIP_CONFIG: &str = "\
[global]
user = true
index-url = http://127.0.0.1:1/simple
require-virtualenv = true
[install]
target = /nowhere
no-deps = true
no-binary = :all:
";

/// Fills a home directory with such files, and returns such variables.
pub(crate) fn hostile(home: &Path) -> Vec<(&'static str, OsString)> {
    for (file, text) in [
        (".aws/config", AWS_CONFIG),
        (".aws/credentials", "[default]\naws_access_key_id = 999999999999\naws_secret_access_key = other\n"),
        (".config/pip/pip.conf", PIP_CONFIG),
        (".pydistutils.cfg", "[install]\nprefix = /nowhere\n"),
        ("modules/ministack.py", "raise SystemExit('not this one')\n"),
        ("modules/venv.py", "raise SystemExit('not this one')\n"),
        ("modules/pip.py", "raise SystemExit('not this one')\n"),
        ("modules/typing.py", "raise SystemExit('not this one')\n"),
    ] {
        let path = home.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut variables: Vec<(&'static str, OsString)> = [
        ("AWS_PROFILE", "elsewhere"),
        ("AWS_REGION", "eu-west-3"),
        ("AWS_DEFAULT_REGION", "eu-west-3"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ("AWS_ENDPOINT_URL", NOBODY),
        ("AWS_ENDPOINT_URL_DYNAMODB", NOBODY),
        ("AWS_ENDPOINT_URL_SSM", NOBODY),
        ("AWS_SESSION_TOKEN", "of another account"),
        ("AWS_MAX_ATTEMPTS", "1"),
        ("HTTP_PROXY", NOBODY),
        ("http_proxy", NOBODY),
        ("HTTPS_PROXY", NOBODY),
        ("https_proxy", NOBODY),
        ("ALL_PROXY", NOBODY),
        ("all_proxy", NOBODY),
        ("NO_PROXY", ""),
        ("no_proxy", ""),
        ("PIP_USER", "1"),
        ("PIP_TARGET", "/nowhere"),
        ("PIP_DRY_RUN", "1"),
        ("PIP_NO_DEPS", "1"),
        ("PIP_REQUIRE_VIRTUALENV", "1"),
        ("PIP_PYTHON", "/nowhere/python"),
        ("PYTHONHOME", "/nowhere"),
        ("PYTHONSTARTUP", "/nowhere"),
        ("PYTHONPLATLIBDIR", "nowhere"),
        ("VIRTUAL_ENV", "/nowhere"),
        ("PORT", "1"),
        ("BIND_HOST", "nowhere"),
        ("GATEWAY_PORT", "1"),
        ("RUST_LOG", "off"),
        ("LOG_FORMAT", "xml"),
        ("PENDING_SHARDS", "3"),
        ("SSL_CERT_FILE", "/nowhere"),
        ("SSL_CERT_DIR", "/nowhere"),
        ("TZ", "Pacific/Kiritimati"),
        ("LC_ALL", "xx_XX"),
        ("TMPDIR", "/nowhere"),
    ]
    .map(|(name, value)| (name, value.into()))
    .into();
    let below = |file: &str| home.join(file).into_os_string();
    variables.extend([
        ("HOME", below("")),
        ("XDG_CONFIG_HOME", below(".config")),
        ("AWS_CONFIG_FILE", below(".aws/config")),
        ("AWS_SHARED_CREDENTIALS_FILE", below(".aws/credentials")),
        ("PYTHONPATH", below("modules")),
    ]);
    variables
}
