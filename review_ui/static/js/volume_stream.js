/**
 * Reads the CT stream: slices from the centre outwards, so the first picture comes early. No DOM.
 *
 * Each record is the slice's index (int32) and its voxels (int16 HU), little-endian.
 */
const HEADER = 4;

/**
 * Fill `ct` from the stream.
 * @param {ReadableStream<Uint8Array>} stream
 * @param {import("./geometry.js").Grid} grid
 * @param {Int16Array} ct
 * @param {(slice: number, received: number) => Promise<void> | void} onSlice  called after each slice, and waited for
 * @returns {Promise<void>} resolves when all slices are there; rejects when the stream ended early
 */
export async function readSlices(stream, grid, ct, onSlice) {
  const header = new DataView(new ArrayBuffer(HEADER));
  const headerBytes = new Uint8Array(header.buffer);
  const ctBytes = new Uint8Array(ct.buffer, ct.byteOffset, ct.byteLength);
  const sliceBytes = grid.sliceCount * 2;
  /** Bytes of the record that have come. */
  let filled = 0;
  let received = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    for (let used = 0; used < value.length; ) {
      const inHeader = filled < HEADER;
      const missing = (inHeader ? HEADER : HEADER + sliceBytes) - filled;
      const part = value.subarray(used, used + missing);
      if (inHeader) headerBytes.set(part, filled);
      else ctBytes.set(part, header.getInt32(0, true) * sliceBytes + filled - HEADER);
      filled += part.length;
      used += part.length;
      if (filled < HEADER + sliceBytes) continue;
      filled = 0;
      received++;
      await onSlice(header.getInt32(0, true), received);
    }
  }
  if (received !== grid.dims[2] || filled !== 0) {
    throw new Error(`Only ${received} of ${grid.dims[2]} slices arrived. Reload the page.`);
  }
}
