"""Frames made by hand, and a socket that puts them on the wire at the clients' end of a network port (lib/port_network.py)."""

import errno
import ipaddress
import socket
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ETHERNET_ALL = 0x0003
IPV4, IPV6 = 0x0800, 0x86DD
TCP = 6


def ones_sum(octets):
    """The Internet checksum's sum, not yet complemented (RFC 1071)."""
    if len(octets) % 2:
        octets += b"\0"
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def tcp_segment(source, destination, source_port, port, seq, ack, flags, payload=b"", window=65535, options=b""):
    """Header, options and payload with a right checksum; addresses are packed, of one family."""
    options += b"\0" * (-len(options) % 4)
    offset = (20 + len(options)) // 4 << 4
    head = struct.pack("!HHIIBBHHH", source_port, port, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset, flags, window, 0, 0) + options
    pseudo = source + destination + struct.pack("!II", len(head) + len(payload), TCP)
    return head[:16] + struct.pack("!H", 0xFFFF ^ ones_sum(pseudo + head + payload)) + head[18:] + payload


def ipv4_packet(source, destination, payload, protocol=TCP, fragment=0, identification=1):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), identification, fragment, 64, protocol, 0) + source + destination
    return head[:10] + struct.pack("!H", 0xFFFF ^ ones_sum(head)) + head[12:] + payload


def ipv6_packet(source, destination, payload, next_header=TCP):
    return struct.pack("!IHBB", 6 << 28, len(payload), next_header, 64) + source + destination + payload


class Wire:
    """A packet socket at the clients' interface."""

    def __init__(self, network):
        self.network = network
        with network.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERNET_ALL))
            self.socket.bind((network.interface, 0))
        self.socket.settimeout(10)
        self.ours = self.socket.getsockname()[4]
        self.posterns = bytes.fromhex(network.settings["port"]["mac"].replace(":", ""))
        self.server = socket.inet_aton(network.ours)
        self.server6 = socket.inet_pton(socket.AF_INET6, network.ours6)

    def frame(self, packet):
        return self.posterns + self.ours + struct.pack("!H", IPV6 if packet[0] >> 4 == 6 else IPV4) + packet

    def put(self, frame):
        """A frame as it is; waits if the kernel's queue is full, and leaves out what the kernel does not send."""
        while True:
            try:
                self.socket.send(frame)
                return
            except OSError as error:
                if error.errno not in (errno.ENOBUFS, errno.EAGAIN):
                    return

    def send(self, packet):
        """One IP packet."""
        self.put(self.frame(packet))

    def segment(self, source, source_port, seq, ack, flags, payload=b"", **more):
        """An IPv4 packet with a segment for Postern's port 25."""
        return ipv4_packet(source, self.server, tcp_segment(source, self.server, source_port, 25, seq, ack, flags, payload, **more))

    def segments(self):
        """What Postern sends over IPv4 from now on: each segment's destination (address, port), seq, ack, flags, payload."""
        while True:
            frame = self.socket.recv(65536)
            if frame[12:14] != b"\x08\x00" or frame[23] != TCP or frame[26:30] != self.server:
                continue
            segment = frame[34:14 + struct.unpack_from("!H", frame, 16)[0]]
            port, seq, ack, offset, flags = struct.unpack_from("!HIIBB", segment, 2)
            yield (frame[30:34], port), seq, ack, flags, segment[(offset >> 4) * 4:]

    def received(self, source, source_port):
        """The next segment for this end: seq, ack, flags, payload."""
        for to, *segment in self.segments():
            if to == (source, source_port):
                return tuple(segment)
        raise AssertionError("there is always one more, or the socket's timeout")

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class RawClient:
    """A TCP client without a kernel behind it: it acknowledges and repeats nothing unless it is told."""

    def __init__(self, wire, address, port, isn=1000):
        self.wire, self.source, self.port = wire, ipaddress.ip_address(address).packed, port
        self.seq, self.ack = isn, 0

    def send(self, flags, payload=b"", seq=None, **more):
        self.wire.send(self.packet(flags, payload, seq, **more))

    def packet(self, flags, payload=b"", seq=None, ack=None, **more):
        return self.wire.segment(self.source, self.port, self.seq if seq is None else seq, self.ack if ack is None else ack, flags, payload, **more)

    def open(self):
        """Handshake, and the greeting, which is left unacknowledged: who talks before it is turned away."""
        self.send(SYN, options=b"\x02\x04\x05\xb4")
        seq, ack, flags, _ = self.wire.received(self.source, self.port)
        assert flags & (SYN | ACK) == SYN | ACK and ack == self.seq + 1, (flags, ack)
        self.seq, self.ack = ack, seq + 1
        self.send(ACK)
        assert self.wire.received(self.source, self.port)[3].startswith(b"220 ")
        return self
