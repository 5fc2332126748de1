//! The variables of sign-in.

use std::collections::BTreeMap;

use sales::sale::ClientId;
use sales_service::environment::{Environment, InvalidVariable, Read};
use url::Url;

use super::address;
use super::fetch::Source;
use super::rules::Rules;

const ISSUERS: &str = "OIDC_ISSUERS";
const KEYS: &str = "OIDC_JWKS_URLS";
const AUDIENCES: &str = "OIDC_AUDIENCES";
const SCOPE_PREFIX: &str = "OIDC_SCOPE_PREFIX";
const SEPARATE_ISSUERS: &str = "OIDC_SEPARATE_ISSUERS";
const CLIENTS: &str = "OIDC_CLIENTS";

/// Maximum number of issuers.
const MOST_ISSUERS: usize = 16;

/// How clients sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The issuers, and where their keys are.
    pub issuers: Vec<(String, Source)>,
    /// What tokens are accepted.
    pub rules: Rules,
}

impl Settings {
    /// Reads the variables; `None` if sign-in is off.
    ///
    /// # Errors
    /// If one is invalid, or set in vain.
    pub fn read(environment: &Environment) -> Read<Option<Self>> {
        let names = list(environment, ISSUERS)?;
        if names.is_empty() {
            for variable in [KEYS, AUDIENCES, SCOPE_PREFIX, SEPARATE_ISSUERS, CLIENTS] {
                if environment.optional(variable)?.is_some() {
                    return Err(InvalidVariable::new(variable, "is set without OIDC_ISSUERS: sign-in would be off"));
                }
            }
            return Ok(None);
        }
        let issuers = issuers(&names)?.into_iter().zip(sources(environment, names.len())?).collect();
        let audiences = list(environment, AUDIENCES)?;
        if audiences.is_empty() {
            return Err(InvalidVariable::new(AUDIENCES, "is not set, and OIDC_ISSUERS is"));
        }
        let scope_prefix = scope_prefix(environment)?;
        let separate_issuers = flag(environment, SEPARATE_ISSUERS)?;
        let clients = clients(environment)?;
        if separate_issuers && !clients.is_empty() {
            return Err(InvalidVariable::new(
                CLIENTS,
                "is set, and OIDC_SEPARATE_ISSUERS is true: one excludes the other",
            ));
        }
        Ok(Some(Self { issuers, rules: Rules { audiences, scope_prefix, separate_issuers, clients } }))
    }
}

/// An issuer is compared with tokens as it is written here.
fn issuers(names: &[String]) -> Read<Vec<String>> {
    let wrong = |problem: String| Err(InvalidVariable::new(ISSUERS, problem));
    if names.len() > MOST_ISSUERS {
        return wrong(format!("must name at most {MOST_ISSUERS} issuers"));
    }
    for (place, name) in names.iter().enumerate() {
        let url = address::parse(name).filter(|url| url.query().is_none() && url.fragment().is_none());
        if url.is_none() || name.contains(['?', '#']) {
            return wrong(format!(
                "must be URLs with https, or http to this machine, and without a query, not {name:?}"
            ));
        }
        if names[..place].contains(name) {
            return wrong(format!("names {name:?} twice"));
        }
    }
    Ok(names.to_vec())
}

fn sources(environment: &Environment, issuers: usize) -> Read<Vec<Source>> {
    let texts = list(environment, KEYS)?;
    if texts.is_empty() {
        return Ok(vec![Source::Discovery; issuers]);
    }
    if texts.len() != issuers {
        let problem = format!("must have an address for each of the {issuers} issuers, not {}", texts.len());
        return Err(InvalidVariable::new(KEYS, problem));
    }
    let expected = "must be URLs with https, or http to this machine";
    let parse = |text: &String| -> Read<Url> {
        address::parse(text).ok_or_else(|| InvalidVariable::new(KEYS, format_args!("{expected}, not {text:?}")))
    };
    texts.iter().map(|text| parse(text).map(Source::Address)).collect()
}

/// The characters of a scope (RFC 6749, section 3.3).
fn scope_prefix(environment: &Environment) -> Read<String> {
    let Some(prefix) = environment.optional(SCOPE_PREFIX)? else { return Ok("sales/".to_owned()) };
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    if prefix.len() <= 256 && prefix.bytes().all(is_allowed) {
        return Ok(prefix);
    }
    let expected = "must be at most 256 visible ASCII characters without \" and \\";
    Err(InvalidVariable::new(SCOPE_PREFIX, format_args!("{expected}, not {prefix:?}")))
}

/// The names of clients by their ids.
fn clients(environment: &Environment) -> Read<BTreeMap<String, ClientId>> {
    let mut clients = BTreeMap::new();
    for text in list(environment, CLIENTS)? {
        let parsed = text.split_once('=').and_then(|(id, name)| Some((ClientId::new(id)?, ClientId::new(name)?)));
        let Some((id, name)) = parsed else {
            return Err(InvalidVariable::new(CLIENTS, format_args!("must be a list of ID=NAME, not {text:?}")));
        };
        if clients.insert(id.as_str().to_owned(), name).is_some() {
            return Err(InvalidVariable::new(CLIENTS, format_args!("names the client {:?} twice", id.as_str())));
        }
    }
    Ok(clients)
}

/// Texts separated by commas; none of them empty.
fn list(environment: &Environment, variable: &'static str) -> Read<Vec<String>> {
    let Some(text) = environment.optional(variable)? else { return Ok(Vec::new()) };
    let parts: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
    if parts.iter().any(|part| part.is_empty() || part.contains(char::is_whitespace)) {
        return Err(InvalidVariable::new(variable, format_args!("must be a list separated by commas, not {text:?}")));
    }
    Ok(parts)
}

fn flag(environment: &Environment, variable: &'static str) -> Read<bool> {
    match environment.optional(variable)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(InvalidVariable::new(variable, format_args!("must be true or false, not {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&'static str, &'static str)]) -> Result<Option<Settings>, String> {
        let variables = variables.to_vec();
        let environment = Environment::new(move |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        Settings::read(&environment).map_err(|error| error.to_string())
    }

    const POOL: (&str, &str) = (ISSUERS, "https://issuer.example/pool");
    const API: (&str, &str) = (AUDIENCES, "sales-api");

    #[test]
    fn sign_in_is_off_without_an_issuer() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[(ISSUERS, " ")]), Ok(None));
    }

    #[test]
    fn every_variable_is_read() {
        let settings = read(&[
            (ISSUERS, "https://one.example/, http://127.0.0.1:9000"),
            (KEYS, "https://one.example/keys,http://127.0.0.1:9000/jwks"),
            (AUDIENCES, "a, b"),
            (SCOPE_PREFIX, "shop:"),
            (SEPARATE_ISSUERS, "true"),
        ]);
        let settings = settings.unwrap().unwrap();
        let names: Vec<&str> = settings.issuers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["https://one.example/", "http://127.0.0.1:9000"], "exactly as they are written");
        assert_eq!(settings.issuers[1].1, Source::Address("http://127.0.0.1:9000/jwks".parse().unwrap()));
        assert_eq!(
            (&settings.rules.audiences[..], settings.rules.separate_issuers),
            (&["a".into(), "b".into()][..], true)
        );
        assert_eq!(settings.rules.scope_prefix, "shop:");
        let named = read(&[POOL, API, (CLIENTS, "1a2b=shop-1, 3c4d=shop-1")]).unwrap().unwrap();
        let names: Vec<_> = named.rules.clients.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
        assert_eq!(names, [("1a2b", "shop-1"), ("3c4d", "shop-1")]);
        let plain = read(&[POOL, API]).unwrap().unwrap();
        assert_eq!(plain.issuers, [("https://issuer.example/pool".to_owned(), Source::Discovery)]);
        assert_eq!((plain.rules.scope_prefix.as_str(), plain.rules.separate_issuers), ("sales/", false));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for (variables, expected) in [
            (vec![(ISSUERS, "http://issuer.example"), API], "OIDC_ISSUERS must be URLs with https"),
            (vec![(ISSUERS, "issuer.example"), API], "OIDC_ISSUERS must be URLs"),
            (vec![(ISSUERS, "https://issuer.example/?a=b"), API], "OIDC_ISSUERS must be URLs"),
            (vec![(ISSUERS, "https://issuer.example/#a"), API], "OIDC_ISSUERS must be URLs"),
            (vec![(ISSUERS, "https://a.example,,https://b.example"), API], "OIDC_ISSUERS must be a list"),
            (vec![(ISSUERS, "https://a.example,https://a.example"), API], "OIDC_ISSUERS names"),
            (vec![POOL], "OIDC_AUDIENCES is not set"),
            (vec![POOL, (AUDIENCES, "a,")], "OIDC_AUDIENCES must be a list"),
            (vec![POOL, API, (KEYS, "https://a.example,https://b.example")], "OIDC_JWKS_URLS must have an address"),
            (vec![POOL, API, (KEYS, "http://a.example/keys")], "OIDC_JWKS_URLS must be URLs"),
            (vec![POOL, API, (SCOPE_PREFIX, "sales \"")], "OIDC_SCOPE_PREFIX must be"),
            (vec![POOL, API, (SEPARATE_ISSUERS, "yes")], "OIDC_SEPARATE_ISSUERS must be true or false"),
            (vec![POOL, API, (CLIENTS, "shop-1")], "OIDC_CLIENTS must be a list of ID=NAME"),
            (vec![POOL, API, (CLIENTS, "1a2b=")], "OIDC_CLIENTS must be a list of ID=NAME"),
            (vec![POOL, API, (CLIENTS, "1a2b=a,1a2b=b")], "OIDC_CLIENTS names the client"),
            (vec![POOL, API, (CLIENTS, "1=a"), (SEPARATE_ISSUERS, "true")], "OIDC_CLIENTS is set, and"),
            (vec![(CLIENTS, "1=a")], "OIDC_CLIENTS is set without OIDC_ISSUERS"),
            (vec![API], "OIDC_AUDIENCES is set without OIDC_ISSUERS"),
            (vec![(SEPARATE_ISSUERS, "false")], "OIDC_SEPARATE_ISSUERS is set without OIDC_ISSUERS"),
        ] {
            let problem = read(&variables).unwrap_err();
            assert!(problem.starts_with(expected), "{variables:?}: {problem}");
        }
    }
}
