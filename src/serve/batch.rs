//! Receives and sends many packets per system call (`recvmmsg`, `sendmmsg`). This is the only file
//! with unsafe code.
//!
//! Every packet of a batch has a slot: addresses, control messages, an input buffer and an output
//! buffer. All slots are one allocation that lives as long as the batch. It is accessed through raw
//! pointers only, which the kernel gets too. Safe code sees one packet at a time.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr::{NonNull, null_mut};

use super::prefetch::BATCH_PACKETS;
use super::respond::MAX_UDP_OCTETS;

/// One cache line more than the longest packet. If buffers were exactly 4096 octets apart, their
/// beginnings would compete for the same few sets of the L1 cache.
const BUFFER_OCTETS: usize = MAX_UDP_OCTETS + 64;
/// Room for one `in6_pktinfo` (20 octets) with its header (16), aligned, with some reserve.
const CONTROL_OCTETS: usize = 64;

/// Packets of one socket: received together, answered one by one, sent together.
pub(super) struct Batch {
    socket: UdpSocket,
    local_address: Option<SocketAddr>,
    /// Whether replies have to set their source address.
    names_own_address: bool,
    slots: NonNull<Slots>,
    replies: usize,
}

/// Whether `receive` waits when no packet is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Wait for the first packet, up to the read timeout of the socket.
    ForOne,
    /// Do not wait.
    Never,
}

/// One received packet.
pub(super) struct Packet<'b> {
    /// The packet.
    pub(super) bytes: &'b [u8],
    /// The source address and port.
    pub(super) source: SocketAddr,
    /// The destination address, if the socket listens on all addresses.
    pub(super) destination: Option<IpAddr>,
    /// The buffer for the response.
    pub(super) out: &'b mut [u8],
}

#[repr(C)]
struct Slots {
    received: [libc::mmsghdr; BATCH_PACKETS],
    received_vectors: [libc::iovec; BATCH_PACKETS],
    replies: [libc::mmsghdr; BATCH_PACKETS],
    reply_vectors: [libc::iovec; BATCH_PACKETS],
    addresses: [libc::sockaddr_storage; BATCH_PACKETS],
    controls: [Control; BATCH_PACKETS],
    inputs: [[u8; BUFFER_OCTETS]; BATCH_PACKETS],
    outputs: [[u8; BUFFER_OCTETS]; BATCH_PACKETS],
}

/// Control messages, aligned as `cmsghdr` is.
#[repr(C, align(8))]
struct Control([u8; CONTROL_OCTETS]);

/// Sets Linux-only options of a UDP socket.
///
/// A reply leaves from the address that received the query, also if the socket listens on all
/// addresses. Path MTU messages are ignored, so that a forged one cannot make the server send
/// fragments (as in BIND, NSD and Knot).
pub(super) fn prepare(socket: &UdpSocket) -> io::Result<()> {
    let address = socket.local_addr()?;
    let (level, discover, omit) = match address.ip() {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT),
    };
    set_option(socket, level, discover, omit)?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => set_option(socket, level, libc::IP_PKTINFO, 1),
        IpAddr::V6(ip) if ip.is_unspecified() => set_option(socket, level, libc::IPV6_RECVPKTINFO, 1),
        _ => Ok(()),
    }
}

fn set_option(socket: &UdpSocket, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let octets = libc::socklen_t::try_from(size_of_val(&value)).expect("an int is short");
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the kernel reads `octets`
    // octets from `value`, which is that long and lives until the call returns.
    let outcome = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), octets) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Batch {
    /// A batch over a socket that `prepare` was called for.
    pub(super) fn new(socket: UdpSocket) -> Batch {
        let local_address = socket.local_addr().ok();
        let names_own_address = local_address.is_some_and(|address| address.ip().is_unspecified());
        let mut batch = Batch { socket, local_address, names_own_address, slots: allocate(), replies: 0 };
        for index in 0..BATCH_PACKETS {
            batch.make_ready(index);
        }
        batch
    }

    /// The address that the socket is bound to.
    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        self.local_address
    }

    /// Receives up to `BATCH_PACKETS` packets and returns how many; 0 if none arrived in time. The
    /// packets of the previous `receive` are discarded.
    pub(super) fn receive(&mut self, wait: Wait) -> io::Result<usize> {
        let flags = match wait {
            Wait::ForOne => libc::MSG_WAITFORONE,
            Wait::Never => libc::MSG_DONTWAIT,
        };
        self.replies = 0;
        let descriptor = self.socket.as_raw_fd();
        // SAFETY: the descriptor is open, `self` owns it. `received` holds BATCH_PACKETS headers,
        // each made ready by `make_ready`: its pointers lead into the same live allocation, and its
        // lengths are those of what they lead to. No reference into the slots exists, since those
        // handed out borrow `self`.
        let count = unsafe {
            let headers = (&raw mut (*self.slots.as_ptr()).received).cast();
            libc::recvmmsg(descriptor, headers, BATCH_PACKETS as libc::c_uint, flags as _, null_mut())
        };
        match usize::try_from(count) {
            Ok(count) => Ok(count),
            Err(_) => none_if_only_late(io::Error::last_os_error()),
        }
    }

    /// Returns the packet in a slot and prepares the slot for the next `receive`. Call it once per
    /// slot. Returns `None` if there can be no response: the packet is too long, or its source
    /// address cannot be answered.
    pub(super) fn packet(&mut self, index: usize) -> Option<Packet<'_>> {
        assert!(index < BATCH_PACKETS);
        let slots = self.slots.as_ptr();
        // SAFETY: `index` is in bounds, the allocation is live and was zeroed, which is a valid
        // header; no reference into the slots exists while `self` is borrowed uniquely.
        let (octets, flags) = unsafe { ((*slots).received[index].msg_len, (*slots).received[index].msg_hdr.msg_flags) };
        let source = self.source(index);
        let destination = self.prepare_reply(index);
        self.make_ready(index);
        if flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let source = source?;
        // SAFETY: in bounds and live as above. The two buffers are apart; the references borrow
        // `self`, so that neither the kernel nor another `packet` touches them while they live. All
        // octets are initialised: zeroed at first.
        let (input, out) = unsafe { (&(*slots).inputs[index], &mut (*slots).outputs[index]) };
        let bytes = input.get(..octets as usize)?;
        Some(Packet { bytes, source, destination, out: &mut out[..MAX_UDP_OCTETS] })
    }

    /// The packet in a slot of the last batch, possibly truncated, and its source address, without
    /// taking it. `None` if the source address cannot be answered.
    pub(super) fn peek(&self, index: usize) -> Option<(&[u8], IpAddr)> {
        assert!(index < BATCH_PACKETS);
        let source = self.source(index)?.ip();
        let slots = self.slots.as_ptr();
        // SAFETY: in bounds, the allocation is live, all octets of it are initialised: zeroed at
        // first. The reference borrows `self`, so that neither the kernel nor `packet` writes there
        // while it lives.
        let (octets, input) = unsafe { ((*slots).received[index].msg_len, &(*slots).inputs[index]) };
        Some((input.get(..octets as usize)?, source))
    }

    /// Queues the first `octets` of the response in this slot for `send`.
    pub(super) fn reply(&mut self, index: usize, octets: usize) {
        assert!(index < BATCH_PACKETS && octets <= MAX_UDP_OCTETS && self.replies < BATCH_PACKETS);
        let slots = self.slots.as_ptr();
        // SAFETY: both indexes are in bounds, the allocation is live, no reference into it exists;
        // every pointer stored leads into the same allocation and every length is at most that of
        // what it leads to.
        unsafe {
            let vector = &raw mut (*slots).reply_vectors[self.replies];
            (*vector).iov_base = (&raw mut (*slots).outputs[index]).cast();
            (*vector).iov_len = octets;
            let from = &raw const (*slots).received[index].msg_hdr;
            let header = &raw mut (*slots).replies[self.replies].msg_hdr;
            (*header).msg_name = (*from).msg_name;
            (*header).msg_namelen = address_octets(&raw const (*slots).addresses[index]);
            (*header).msg_iov = vector;
            (*header).msg_iovlen = 1;
            if self.names_own_address {
                (*header).msg_control = (&raw mut (*slots).controls[index]).cast();
                (*header).msg_controllen = control_octets(&raw const (*slots).controls[index]) as _;
            }
        }
        self.replies += 1;
    }

    /// Sends the queued responses and empties the queue. Returns how many the system did not send.
    /// Those are lost, as datagrams may be.
    pub(super) fn send(&mut self) -> usize {
        let (mut done, mut lost) = (0, 0);
        while done < self.replies {
            match self.send_from(done) {
                Ok(sent) => done += sent,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    // The send buffer stays full, so retrying the others would fail too.
                    io::ErrorKind::WouldBlock => {
                        lost += self.replies - done;
                        done = self.replies;
                    }
                    // One destination is unreachable or filtered (ENETUNREACH, EPERM, EMSGSIZE,
                    // ENOBUFS…).
                    _ => (done, lost) = (done + 1, lost + 1),
                },
            }
        }
        self.replies = 0;
        lost
    }

    /// Tries to send the replies from index `first` on. `Ok` means that at least one was sent.
    fn send_from(&mut self, first: usize) -> io::Result<usize> {
        debug_assert!(first < self.replies);
        let count = libc::c_uint::try_from(self.replies - first).expect("a batch is small");
        let descriptor = self.socket.as_raw_fd();
        // SAFETY: the descriptor is open. `replies[first..first + count]` were filled by `reply`
        // since the last `receive`; their pointers lead into the live allocation. No reference into
        // it exists.
        let sent = unsafe {
            let headers = (&raw mut (*self.slots.as_ptr()).replies[first]).cast();
            libc::sendmmsg(descriptor, headers, count, 0)
        };
        match usize::try_from(sent) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => Ok(sent),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }

    /// Prepares the header of a slot for receiving.
    fn make_ready(&mut self, index: usize) {
        let slots = self.slots.as_ptr();
        // SAFETY: `index` is in bounds (callers check, or count to it); the allocation is live and
        // no reference into it exists; the pointers stored lead into it and the lengths are those
        // of what they lead to.
        unsafe {
            let vector = &raw mut (*slots).received_vectors[index];
            (*vector).iov_base = (&raw mut (*slots).inputs[index]).cast();
            (*vector).iov_len = MAX_UDP_OCTETS;
            let header = &raw mut (*slots).received[index].msg_hdr;
            (*header).msg_name = (&raw mut (*slots).addresses[index]).cast();
            (*header).msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            (*header).msg_iov = vector;
            (*header).msg_iovlen = 1;
            (*header).msg_flags = 0;
            if self.names_own_address {
                (*header).msg_control = (&raw mut (*slots).controls[index]).cast();
                (*header).msg_controllen = CONTROL_OCTETS as _;
            }
        }
    }

    /// The source address and port of a packet, if they can be answered.
    fn source(&self, index: usize) -> Option<SocketAddr> {
        // SAFETY: `index` is in bounds; a zeroed or kernel-written `sockaddr_storage` is valid,
        // aligned for and at least as large as both kinds of address it is read as, according to
        // its family.
        let (address, port) = unsafe {
            let address = &raw const (*self.slots.as_ptr()).addresses[index];
            match libc::c_int::from((*address).ss_family) {
                libc::AF_INET => {
                    let address = &*address.cast::<libc::sockaddr_in>();
                    (IpAddr::V4(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr))), address.sin_port)
                }
                libc::AF_INET6 => {
                    let address = &*address.cast::<libc::sockaddr_in6>();
                    (IpAddr::V6(Ipv6Addr::from(address.sin6_addr.s6_addr)), address.sin6_port)
                }
                _ => return None,
            }
        };
        let answerable = port != 0 && !address.is_unspecified() && !address.is_multicast();
        (answerable && address != IpAddr::V4(Ipv4Addr::BROADCAST))
            .then_some(SocketAddr::new(address, u16::from_be(port)))
    }

    /// Turns the control message with the destination of a packet into one with the source of the
    /// reply, and returns the destination.
    ///
    /// Only the address is kept. The routing table chooses the interface, except for link-local
    /// addresses, which have no meaning without one.
    fn prepare_reply(&mut self, index: usize) -> Option<IpAddr> {
        if !self.names_own_address {
            return None;
        }
        // SAFETY: `index` is in bounds; header and control buffer are live, the kernel set
        // `msg_controllen` to what it wrote (or `make_ready` to the buffer's length), so that
        // CMSG_FIRSTHDR stays inside; a message of these types holds these structures, written
        // unaligned since CMSG_DATA promises no alignment.
        unsafe {
            let slots = self.slots.as_ptr();
            let control = &raw mut (*slots).controls[index];
            let header = &raw const (*slots).received[index].msg_hdr;
            let message = libc::CMSG_FIRSTHDR(header);
            if message.is_null() {
                // Without it the reply leaves from the address that the routing table suggests.
                (*control.cast::<libc::cmsghdr>()).cmsg_len = 0;
                return None;
            }
            match ((*message).cmsg_level, (*message).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let data = libc::CMSG_DATA(message).cast::<libc::in_pktinfo>();
                    let info = data.read_unaligned();
                    data.write_unaligned(libc::in_pktinfo { ipi_ifindex: 0, ..info });
                    Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))))
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let data = libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>();
                    let info = data.read_unaligned();
                    let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    if !address.is_unicast_link_local() {
                        data.write_unaligned(libc::in6_pktinfo { ipi6_ifindex: 0, ..info });
                    }
                    Some(IpAddr::V6(address))
                }
                _ => {
                    (*control.cast::<libc::cmsghdr>()).cmsg_len = 0;
                    None
                }
            }
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: allocated by `allocate` with this very layout, and freed only here.
        unsafe { dealloc(self.slots.as_ptr().cast(), Layout::new::<Slots>()) }
    }
}

/// Allocates about half a megabyte of zeros. Only pages that are used take memory.
fn allocate() -> NonNull<Slots> {
    let layout = Layout::new::<Slots>();
    // SAFETY: the layout has a size above 0. Zeros are a valid `Slots`: integers, octets and raw
    // pointers alone.
    let slots = unsafe { alloc_zeroed(layout) };
    NonNull::new(slots.cast()).unwrap_or_else(|| handle_alloc_error(layout))
}

/// The length of an address, from its family.
unsafe fn address_octets(address: *const libc::sockaddr_storage) -> libc::socklen_t {
    // SAFETY: the caller's promise.
    let octets = match libc::c_int::from(unsafe { (*address).ss_family }) {
        libc::AF_INET => size_of::<libc::sockaddr_in>(),
        _ => size_of::<libc::sockaddr_in6>(),
    };
    octets as libc::socklen_t
}

/// The length of the one control message with its padding; 0 if there is none.
#[allow(clippy::unnecessary_cast, reason = "the length is a usize with glibc, a socklen_t with musl")]
unsafe fn control_octets(control: *const Control) -> usize {
    // SAFETY: the caller's promise, and `Control` is aligned as the header is.
    let octets = unsafe { (*control.cast::<libc::cmsghdr>()).cmsg_len } as usize;
    octets.next_multiple_of(align_of::<Control>()).min(CONTROL_OCTETS)
}

/// A timeout or an interrupting signal is not an error.
fn none_if_only_late(error: io::Error) -> io::Result<usize> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(0),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn batch(address: &str) -> (Batch, SocketAddr) {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        prepare(&socket).unwrap();
        let address = socket.local_addr().unwrap();
        (Batch::new(socket), address)
    }

    /// Sends every packet back with its octets reversed.
    fn echo(batch: &mut Batch, received: usize) {
        for index in 0..received {
            let Some(packet) = batch.packet(index) else { continue };
            let octets = packet.bytes.len();
            packet.out[..octets].copy_from_slice(packet.bytes);
            packet.out[..octets].reverse();
            batch.reply(index, octets);
        }
        assert_eq!(batch.send(), 0);
    }

    #[test]
    fn packets_of_a_batch_go_back_to_their_senders() {
        let (mut batch, address) = batch("127.0.0.1:0");
        let clients: Vec<UdpSocket> = (0..100).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        for _ in 0..3 {
            for (number, client) in clients.iter().enumerate() {
                client.send_to(format!("{number} abc").as_bytes(), address).unwrap();
            }
            let mut left = clients.len();
            while left > 0 {
                let received = batch.receive(Wait::ForOne).unwrap();
                assert!(received > 0 && received <= BATCH_PACKETS);
                echo(&mut batch, received);
                left -= received;
            }
            for (number, client) in clients.iter().enumerate() {
                client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let mut buffer = [0; 100];
                let octets = client.recv(&mut buffer).unwrap();
                assert_eq!(buffer[..octets], format!("{number} abc").bytes().rev().collect::<Vec<_>>());
            }
        }
        assert_eq!(batch.receive(Wait::Never).unwrap(), 0);
    }

    #[test]
    fn a_reply_leaves_from_the_address_that_was_asked() {
        let (mut batch, address) = batch("0.0.0.0:0");
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        // A connected socket accepts replies only from this address.
        client.connect(("127.0.0.53", address.port())).unwrap();
        for _ in 0..2 {
            client.send(b"abc").unwrap();
            let received = batch.receive(Wait::ForOne).unwrap();
            echo(&mut batch, received);
            let mut buffer = [0; 10];
            assert_eq!(client.recv(&mut buffer).unwrap(), 3);
        }
    }

    #[test]
    fn over_ipv6_too() {
        if UdpSocket::bind("[::1]:0").is_err() {
            return;
        }
        for listen in ["[::]:0", "[::1]:0"] {
            let (mut batch, address) = batch(listen);
            let client = UdpSocket::bind("[::1]:0").unwrap();
            client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            client.connect(("::1", address.port())).unwrap();
            client.send(b"abc").unwrap();
            let received = batch.receive(Wait::ForOne).unwrap();
            echo(&mut batch, received);
            let mut buffer = [0; 10];
            assert_eq!(client.recv(&mut buffer).unwrap(), 3);
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        let (mut batch, address) = batch("127.0.0.1:0");
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(&[1; 5000], address).unwrap();
        assert_eq!(batch.receive(Wait::ForOne).unwrap(), 1);
        assert!(batch.packet(0).is_none());
        client.send_to(&[1; 4096], address).unwrap();
        assert_eq!(batch.receive(Wait::ForOne).unwrap(), 1);
        assert_eq!(batch.packet(0).unwrap().bytes.len(), 4096);
    }

    #[test]
    fn a_wait_ends() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        assert_eq!(Batch::new(socket).receive(Wait::ForOne).unwrap(), 0);
    }
}
