/**
 * Sets of voxels as runs, and runs as text: what a journal entry carries. No DOM.
 *
 * A run is a pair (start, length) of flat indices; the text is base64 of little-endian uint32.
 */

/**
 * Runs of the given voxels.
 * @param {Uint32Array} sortedIndices  flat indices, ascending, each once
 * @returns {Uint32Array} start, length, start, length ...
 */
export function runsOf(sortedIndices) {
  /** @type {number[]} */
  const runs = [];
  for (const index of sortedIndices) {
    const last = runs.length - 2;
    if (last >= 0 && runs[last] + runs[last + 1] === index) runs[last + 1]++;
    else runs.push(index, 1);
  }
  return Uint32Array.from(runs);
}

/**
 * The voxels of `runs`, ascending.
 * @param {Uint32Array} runs
 */
export function indicesOf(runs) {
  let total = 0;
  for (let i = 1; i < runs.length; i += 2) total += runs[i];
  const indices = new Uint32Array(total);
  let next = 0;
  for (let i = 0; i < runs.length; i += 2) {
    for (let step = 0; step < runs[i + 1]; step++) indices[next++] = runs[i] + step;
  }
  return indices;
}

/**
 * @param {Uint32Array} runs
 * @returns {string} base64 of the runs, little-endian
 */
export function encodeRuns(runs) {
  const bytes = new Uint8Array(runs.length * 4);
  const view = new DataView(bytes.buffer);
  runs.forEach((value, i) => view.setUint32(i * 4, value, true));
  let text = "";
  // In pieces: a function takes only so many arguments.
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return btoa(text);
}

/**
 * @param {string} text  what `encodeRuns` made
 * @returns {Uint32Array}
 */
export function decodeRuns(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  const view = new DataView(bytes.buffer);
  const runs = new Uint32Array(raw.length >> 2);
  for (let i = 0; i < runs.length; i++) runs[i] = view.getUint32(i * 4, true);
  return runs;
}
