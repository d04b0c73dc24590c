/**
 * Reads the CT stream: slices from the centre outwards, so the first picture comes early. No DOM.
 *
 * Each record is the slice's index (int32) and its voxels (int16 HU), little-endian.
 */

/**
 * Fill `ct` from the stream.
 * @param {ReadableStream<Uint8Array>} stream
 * @param {import("./geometry.js").Grid} grid
 * @param {Int16Array} ct
 * @param {(slice: number, received: number) => void} onSlice  called after each slice
 * @returns {Promise<void>} resolves when all slices are there; rejects when the stream ended early
 */
export async function readSlices(stream, grid, ct, onSlice) {
  const record = new Uint8Array(4 + grid.sliceCount * 2);
  const header = new DataView(record.buffer);
  const voxels = new Int16Array(record.buffer, 4, grid.sliceCount);
  let filled = 0;
  let received = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    let used = 0;
    while (used < value.length) {
      const part = value.subarray(used, used + record.length - filled);
      record.set(part, filled);
      filled += part.length;
      used += part.length;
      if (filled < record.length) continue;
      filled = 0;
      received++;
      const slice = header.getInt32(0, true);
      ct.set(voxels, slice * grid.sliceCount);
      onSlice(slice, received);
    }
  }
  if (received !== grid.dims[2] || filled !== 0) {
    throw new Error(`Only ${received} of ${grid.dims[2]} slices arrived. Reload the page.`);
  }
}
