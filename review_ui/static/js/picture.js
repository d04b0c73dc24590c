/** A canvas of a slice's own size whose pixels are written as 32-bit numbers. */

export class Picture {
  /**
   * @param {number} width
   * @param {number} height
   */
  constructor(width, height) {
    this.canvas = document.createElement("canvas");
    this.canvas.width = width;
    this.canvas.height = height;
    this.context = context2d(this.canvas, {});
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  /** Show all pixels as they are now. */
  commitAll() {
    this.context.putImageData(this.image, 0, 0);
  }

  /** Show those in a box. @param {import("./slice_pixels.js").Box | null} box */
  commit(box) {
    if (!box) return;
    const { left, top, right, bottom } = box;
    this.context.putImageData(this.image, 0, 0, left, top, right - left + 1, bottom - top + 1);
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} settings
 */
export function context2d(canvas, settings) {
  const context = canvas.getContext("2d", settings);
  if (!context) throw new Error("This browser has no canvas. Use a current Chromium or Firefox.");
  return context;
}
