//! Bidirectional Frame Streams over a socket: a handshake, then frames, then a closing handshake
//! (github.com/farsightsec/fstrm, `fstrm/control.h`).
//!
//! ```text
//!  we:     READY(content type)            START(content type)  frame frame …  STOP
//!  reader:                     ACCEPT(content type)                                 FINISH
//! ```

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::config::DnstapTarget;
use crate::log_limit::LogLimit;

const CONTENT_TYPE: &[u8] = b"protobuf:dnstap.Dnstap";
/// A control frame follows a data length of 0.
const ESCAPE: u32 = 0;
const ACCEPT: u32 = 1;
const START: u32 = 2;
const STOP: u32 = 3;
const READY: u32 = 4;
const FINISH: u32 = 5;
/// The only field of control frames.
const FIELD_CONTENT_TYPE: u32 = 1;
/// Frame Streams limits a control frame to 512 octets.
const MOST_CONTROL_OCTETS: u32 = 512;

/// Timeout for connecting, for the handshake and for each write. A slower reader is disconnected.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause after the first failed attempt. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The maximum pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A stream to one reader, connected or not.
pub(super) struct Stream {
    target: DnstapTarget,
    connection: Option<Box<dyn Connection>>,
    pause: Duration,
    next_attempt: Instant,
    log: LogLimit,
}

trait Connection: Read + Write + Send {}

impl<C: Read + Write + Send> Connection for C {}

impl Stream {
    pub(super) fn new(target: DnstapTarget) -> Stream {
        Stream { target, connection: None, pause: FIRST_PAUSE, next_attempt: Instant::now(), log: LogLimit::default() }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Connects, if an attempt is due.
    pub(super) fn connect_if_due(&mut self) {
        if self.is_connected() || Instant::now() < self.next_attempt {
            return;
        }
        match connect(&self.target).and_then(greet) {
            Ok(connection) => {
                // A reader that disconnects again and again must not fill the log.
                if let Some(held_back) = self.log.admit("connected") {
                    tracing::info!("dnstap: connected to {}{held_back}", self.target);
                }
                self.connection = Some(connection);
                self.pause = FIRST_PAUSE;
            }
            Err(error) => {
                // Logged once per disconnection.
                if self.pause == FIRST_PAUSE
                    && let Some(held_back) = self.log.admit(error.to_string())
                {
                    let target = &self.target;
                    tracing::warn!("dnstap: cannot connect to {target}: {error}; retrying{held_back}");
                }
                self.next_attempt = Instant::now() + self.pause;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Sends complete frames. Returns whether they are sent.
    pub(super) fn send(&mut self, frames: &[u8]) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        let Err(error) = connection.write_all(frames) else { return true };
        if let Some(held_back) = self.log.admit("gone") {
            tracing::warn!("dnstap: lost the connection to {}: {error}{held_back}", self.target);
        }
        self.connection = None;
        self.next_attempt = Instant::now() + self.pause;
        false
    }

    /// Closes the stream with a handshake.
    pub(super) fn finish(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            // A reader that does not respond has received the frames all the same.
            let _ = write_control(&mut *connection, STOP, None).and_then(|()| expect(&mut *connection, FINISH));
        }
    }
}

fn connect(target: &DnstapTarget) -> io::Result<Box<dyn Connection>> {
    match target {
        #[cfg(unix)]
        DnstapTarget::Socket(path) => {
            let stream = std::os::unix::net::UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Box::new(stream))
        }
        #[cfg(not(unix))]
        DnstapTarget::Socket(_) => Err(io::ErrorKind::Unsupported.into()),
        DnstapTarget::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            // Each write already has many frames.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
    }
}

fn greet(mut connection: Box<dyn Connection>) -> io::Result<Box<dyn Connection>> {
    write_control(&mut *connection, READY, Some(CONTENT_TYPE))?;
    expect(&mut *connection, ACCEPT)?;
    write_control(&mut *connection, START, Some(CONTENT_TYPE))?;
    Ok(connection)
}

fn write_control(to: &mut dyn Connection, kind: u32, content_type: Option<&[u8]>) -> io::Result<()> {
    let mut body = kind.to_be_bytes().to_vec();
    if let Some(content_type) = content_type {
        body.extend(FIELD_CONTENT_TYPE.to_be_bytes());
        body.extend(length_of(content_type));
        body.extend(content_type);
    }
    let frame = [&ESCAPE.to_be_bytes(), &length_of(&body), body.as_slice()].concat();
    to.write_all(&frame)
}

fn length_of(octets: &[u8]) -> [u8; 4] {
    u32::try_from(octets.len()).expect("control frames are short").to_be_bytes()
}

/// Reads a control frame, which must be of this type. An ACCEPT must have the content type of
/// dnstap.
fn expect(from: &mut dyn Connection, kind: u32) -> io::Result<()> {
    let strange = |what: &str| {
        io::Error::new(io::ErrorKind::InvalidData, format!("the reader does not speak Frame Streams: {what}"))
    };
    if read_u32(from)? != ESCAPE {
        return Err(strange("no control frame"));
    }
    let octets = read_u32(from)?;
    if !(4..=MOST_CONTROL_OCTETS).contains(&octets) {
        return Err(strange("a control frame with an invalid length"));
    }
    let mut body = vec![0; octets as usize];
    from.read_exact(&mut body)?;
    let (found, fields) = body.split_at(4);
    if found != kind.to_be_bytes() {
        return Err(strange("an unexpected control frame"));
    }
    let accepts = fields.is_empty() || fields.windows(CONTENT_TYPE.len()).any(|window| window == CONTENT_TYPE);
    if accepts { Ok(()) } else { Err(strange("it takes no dnstap")) }
}

fn read_u32(from: &mut dyn Connection) -> io::Result<u32> {
    let mut octets = [0; 4];
    from.read_exact(&mut octets)?;
    Ok(u32::from_be_bytes(octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    /// A reader that takes one stream to its end, or disconnects after this many octets.
    fn reader(listener: &TcpListener, most: usize) -> JoinHandle<Vec<u8>> {
        let listener = listener.try_clone().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            expect(&mut stream, READY).unwrap();
            write_control(&mut stream, ACCEPT, Some(CONTENT_TYPE)).unwrap();
            expect(&mut stream, START).unwrap();
            let (mut data, mut octet) = (Vec::new(), [0]);
            while data.len() < most && stream.read(&mut octet).is_ok_and(|read| read == 1) {
                data.push(octet[0]);
                if data.ends_with(&[0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, STOP as u8]) {
                    write_control(&mut stream, FINISH, None).unwrap();
                    data.truncate(data.len() - 12);
                    break;
                }
            }
            data
        })
    }

    fn connected(stream: &mut Stream) {
        let began = Instant::now();
        while !stream.is_connected() {
            assert!(began.elapsed() < Duration::from_secs(30));
            stream.connect_if_due();
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_stream_begins_and_ends_as_frame_streams_want() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let reading = reader(&listener, usize::MAX);
        let mut stream = Stream::new(DnstapTarget::Tcp(listener.local_addr().unwrap()));
        connected(&mut stream);
        assert!(stream.send(b"\0\0\0\x03abc") && stream.send(b"\0\0\0\x01d"));
        stream.finish();
        assert_eq!(reading.join().unwrap(), b"\0\0\0\x03abc\0\0\0\x01d");
    }

    #[test]
    fn a_reader_that_comes_back_is_found_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let reading = reader(&listener, 4);
        let mut stream = Stream::new(DnstapTarget::Tcp(address));
        connected(&mut stream);
        assert!(stream.send(b"abcd"));
        reading.join().unwrap();
        // The system notices at the second write, or later.
        let began = Instant::now();
        while stream.send(b"lost") {
            assert!(began.elapsed() < Duration::from_secs(30));
            thread::sleep(Duration::from_millis(5));
        }
        let reading = reader(&listener, usize::MAX);
        connected(&mut stream);
        assert!(stream.send(b"again"));
        stream.finish();
        assert_eq!(reading.join().unwrap(), b"again");
    }

    #[test]
    fn who_takes_no_dnstap_is_none_of_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let reading = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            expect(&mut stream, READY).unwrap();
            write_control(&mut stream, ACCEPT, Some(b"protobuf:other.Thing")).unwrap();
        });
        let mut stream = Stream::new(DnstapTarget::Tcp(address));
        stream.connect_if_due();
        reading.join().unwrap();
        assert!(!stream.is_connected() && !stream.send(b"abc"));
    }
}
