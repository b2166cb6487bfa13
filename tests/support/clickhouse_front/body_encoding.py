"""Compressed bodies of answers, by the name of their Content-Encoding.

The standard library compresses with gzip and deflate. For lz4 and zstd, which clients of ClickHouse like, frames are made whose blocks hold the data
as it is: valid, and decoded by the client as any other, but not smaller.
"""

import struct
import zlib


class Deflating:
    """gzip and deflate."""

    def __init__(self, window_bits):
        self.compressor = zlib.compressobj(3, wbits=window_bits)

    def encode(self, pieces):
        return [*(self.compressor.compress(piece) for piece in pieces), self.compressor.flush(zlib.Z_SYNC_FLUSH)]

    def finish(self):
        return [self.compressor.flush()]


class Storing:
    """A frame with stored blocks."""

    def __init__(self, header, block_header, most, end):
        self.header = header
        self.block_header = block_header
        self.most = most
        self.end = end

    def encode(self, pieces):
        header, self.header = self.header, b""
        encoded = [header]
        for piece in pieces:
            for start in range(0, len(piece), self.most):
                block = piece[start : start + self.most]
                encoded += [self.block_header(len(block)), block]
        return encoded

    def finish(self):
        return [*self.encode([]), self.end]


def lz4():
    # Magic number; version 1, independent blocks; blocks of at most 4 MiB; checksum of these two bytes. A set high bit says "stored".
    return Storing(bytes.fromhex("04224d18 60 70 73"), lambda size: struct.pack("<I", size | 1 << 31), 4 << 20, struct.pack("<I", 0))


def zstd():
    # Magic number; neither size nor checksum; a window of 128 KiB, which bounds a block. Its header: last or not, kind 0 "raw", size.
    return Storing(bytes.fromhex("28b52ffd 00 38"), lambda size: struct.pack("<I", size << 3)[:3], 128 << 10, b"\x01\x00\x00")


ENCODERS = {
    "gzip": lambda: Deflating(31),
    "deflate": lambda: Deflating(15),
    "lz4": lz4,
    "zstd": zstd,
}


def chosen(accepted):
    """The first encoding of an Accept-Encoding header that there is here, with its encoder; nothing when it names none of them."""
    for name in accepted.split(","):
        name = name.split(";")[0].strip().lower()
        if name in ENCODERS:
            return name, ENCODERS[name]()
    return None
