//! Notifications to systemd over `$NOTIFY_SOCKET`.
#![cfg(unix)]

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::{Lab, PATIENCE, Transport, ask, text};

/// A name whose address depends on a check of an endpoint that listens but never responds.
fn zone(port: u16) -> String {
    format!(
        "name = 'lab.test'\n\
         [[record]]\nname = 'www'\ntype = 'A'\nset_identifier = 'one'\nweight = 1\nttl = 10\nvalues = ['192.0.2.1']\nhealth_check = 'silent'\n\
         [[health_check]]\nname = 'silent'\ntype = 'http'\nip_address = '127.0.0.1'\nport = {port}\n"
    )
}

/// The socket of systemd.
struct Systemd(UnixDatagram);

impl Systemd {
    fn listen(path: &Path) -> Systemd {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Systemd(socket)
    }

    /// The next message other than a watchdog message.
    fn hear(&self) -> String {
        loop {
            let message = self.hear_anything();
            if message != "WATCHDOG=1\n" {
                return message;
            }
        }
    }

    fn hear_anything(&self) -> String {
        let mut bytes = [0; 4096];
        let octets = self.0.recv(&mut bytes).expect("systemd gets a message");
        text(&bytes[..octets])
    }

    /// Waits for a reload; returns the time of its announcement and the status at its end.
    fn hear_reload(&self) -> (u64, String) {
        let begun = self.hear();
        let at = begun.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{begun}"));
        let ended = self.hear();
        let status = ended.strip_prefix("READY=1\nSTATUS=").unwrap_or_else(|| panic!("{ended}"));
        (at.trim_end().parse().unwrap(), status.trim_end().to_owned())
    }
}

/// A port without a listener, over UDP and TCP.
fn free_port() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    TcpListener::bind(address).unwrap();
    address
}

#[test]
fn systemd_hears_of_start_reloads_and_stop_when_they_happen() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let lab = Lab::new(&[("lab.test.toml", &zone(silent.local_addr().unwrap().port()))]);
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    lab.write("fiftythree.toml", &(settings + "[health]\nwait_for_first_result = '1s'\n"));
    let systemd = Systemd::listen(&lab.path("notify"));
    let (address, socket) = (free_port(), lab.path("notify"));
    let (listen, socket) = (address.to_string(), socket.to_str().unwrap());

    let server = thread::scope(|scope| {
        let server = scope.spawn(|| lab.serve_with(&["--listen", &listen], &[("NOTIFY_SOCKET", socket)]));
        assert_eq!(systemd.hear(), "STATUS=waiting for the first results of 1 health checks\n");
        let began = Instant::now();
        // The server does not listen yet: the port is free.
        drop(TcpListener::bind(address).expect("the port is not open before READY=1"));
        assert_eq!(systemd.hear(), "READY=1\nSTATUS=serving 3 records in 1 zone, 1 health check\n");
        // The check has four seconds to connect and two for its response: the start timeout has
        // ended, not the probe.
        assert!(began.elapsed() > Duration::from_millis(500), "READY=1 after {:?}", began.elapsed());
        assert_eq!(ask(address, "www.lab.test.", Transport::Udp).addresses, ["192.0.2.1"]);
        assert_eq!(ask(address, "www.lab.test.", Transport::Tcp).addresses, ["192.0.2.1"]);
        server.join().unwrap()
    });

    server.signal("HUP");
    let (first, status) = systemd.hear_reload();
    assert_eq!(status, "serving 3 records in 1 zone, 1 health check");
    let broken = fs::read_to_string(lab.path("zones/lab.test.toml")).unwrap().replace("192.0.2.1", "192.0.2.256");
    fs::write(lab.path("zones/lab.test.toml"), broken).unwrap();
    server.signal("HUP");
    let (second, status) = systemd.hear_reload();
    assert!(status.contains("errors in the files: 1, ") && status.contains("lab.test.toml"), "{status}");
    assert!(0 < first && first < second, "{first}, {second}");

    assert!(server.stop().success());
    let said = std::iter::repeat_with(|| systemd.hear()).find(|message| !message.starts_with("STATUS=")).unwrap();
    assert_eq!(said, "STOPPING=1\n");
}

#[test]
fn the_watchdog_hears_twice_in_its_time_that_the_server_lives() {
    let lab = Lab::new(&[("other.toml", "name = 'other.test'\n")]);
    let systemd = Systemd::listen(&lab.path("notify"));
    let socket = lab.path("notify");
    let server = lab.serve_with(&[], &[("NOTIFY_SOCKET", socket.to_str().unwrap()), ("WATCHDOG_USEC", "1000000")]);
    assert!(systemd.hear().starts_with("READY=1\n"));
    let (began, mut signs) = (Instant::now(), 0);
    while signs < 4 {
        assert_eq!(systemd.hear_anything(), "WATCHDOG=1\n");
        signs += 1;
    }
    // The first comes at once, the others every half second.
    assert!(began.elapsed() > Duration::from_millis(1200), "{signs} signs in {:?}", began.elapsed());
    assert!(server.stop().success());
}
