//! TCP ports on this machine.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    ops::Range,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::time::{Instant, sleep};

/// Below the operating systems' range for outgoing connections, so that a port found free here is not lost to one
/// before it is used.
/// lost to one of them before it is used.
const CANDIDATES: Range<u16> = 20_000..32_000;

/// How long the children of a killed program may still be stopping, with their ports in use.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// Different free ports that this process has not used before: a process that is killed and restarted leaves its port
/// free for a while.
pub fn free<const COUNT: usize>() -> anyhow::Result<[u16; COUNT]> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let candidates = (0..1_000).map(|_| rand::random_range(CANDIDATES));
    let free = candidates.filter(|port| try_to_listen(*port).is_ok() && given.insert(*port));
    let found: Vec<_> = free.take(COUNT).collect();
    found.try_into().ok().context("not enough free TCP ports found")
}

/// A port's purpose, and how the user changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortUse {
    /// The port.
    pub port: u16,
    /// The purpose.
    pub purpose: String,
    /// The command line option that changes it.
    pub option: &'static str,
}

/// Waits until the ports are free; after some time, the error is that of [`check`].
pub async fn wait_until_free(roles: &[PortUse]) -> anyhow::Result<()> {
    let deadline = Instant::now() + LAST_BREATH;
    loop {
        match check(roles) {
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(50)).await,
            result => return result,
        }
    }
}

/// Checks that all ports differ and are free.
pub fn check(roles: &[PortUse]) -> anyhow::Result<()> {
    for (position, role) in roles.iter().enumerate() {
        if let Some(other) = roles[..position].iter().find(|other| other.port == role.port) {
            bail!(
                "port {} is given to both the {} ({}) and the {} ({})",
                role.port,
                other.purpose,
                other.option,
                role.purpose,
                role.option
            );
        }
        match try_to_listen(role.port) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
                "port {}, meant for the {}, is in use: choose another with {}",
                role.port,
                role.purpose,
                role.option
            ),
            Err(error) => bail!(
                "port {}, meant for the {}, cannot be used ({error}): choose another with {}",
                role.port,
                role.purpose,
                role.option
            ),
        }
    }
    Ok(())
}

/// Succeeds if `localhost:port` is free: on every interface, as the services listen, and on the IPv6 address, which
/// clients try first where there is one.
fn try_to_listen(port: u16) -> std::io::Result<()> {
    drop(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?);
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(error),
        // Other failures are not about the port: many machines lack such an address.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(port: u16, purpose: &str, option: &'static str) -> PortUse {
        PortUse { port, purpose: purpose.to_owned(), option }
    }

    #[test]
    fn a_port_in_use_is_named_with_its_purpose_and_option() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("it is free");
        let port = taken.local_addr().expect("bound").port();
        let error = check(&[role(port, "accelerator", "--port")]).expect_err("it is in use");
        assert_eq!(
            error.to_string(),
            format!("port {port}, meant for the accelerator, is in use: choose another with --port")
        );
    }

    #[test]
    fn a_port_that_is_in_use_on_the_other_loopback_address_is_in_use() {
        let Ok(taken) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
        let port = taken.local_addr().expect("bound").port();
        assert!(check(&[role(port, "accelerator", "--port")]).is_err());
    }

    #[test]
    fn one_port_cannot_serve_two_purposes() {
        let [port] = free().expect("a port");
        let error = check(&[role(port, "accelerator", "--port"), role(port, "emulator", "--emulator-port")]);
        let error = error.expect_err("it is given twice").to_string();
        assert_eq!(
            error,
            format!("port {port} is given to both the accelerator (--port) and the emulator (--emulator-port)")
        );
    }

    #[test]
    fn free_ports_differ_and_pass_the_check() {
        let ports = free::<3>().expect("ports");
        check(&ports.map(|port| role(port, "accelerator", "--port"))).expect("they are free");
    }
}
