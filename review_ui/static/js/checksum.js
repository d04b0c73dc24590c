/** CRC-32 as zlib computes it (polynomial 0xEDB88320), in pieces. No DOM. */

const TABLE = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  TABLE[byte] = value;
}

/**
 * CRC-32 of `bytes`, continuing from that of the bytes before them.
 * @param {Uint8Array} bytes
 * @param {number} [before]
 * @returns {number} unsigned 32 bits
 */
export function crc32(bytes, before = 0) {
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
}
