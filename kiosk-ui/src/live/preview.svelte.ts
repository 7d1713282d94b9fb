import { socketUrl } from '../api/calls.ts';
import { follow } from './socket.ts';
import { adviceOf, coach, Figures, parseFrame, type Coach, type Frame } from './frame.ts';

const lookEvery = 500; // ms between looks at the figures

/**
 * Preview draws the camera's newest frame on a canvas. While one is being
 * decoded, only the newest of those that come in is kept, so that the picture
 * never falls behind.
 */
export class Preview {
  coach = $state<Coach>('wait');
  advice = $state(''); // text key of the one thing to do
  fps = $state(0);
  p95 = $state(0); // ms

  #figures = new Figures();
  #newest: Frame | undefined;
  #drawing = false;
  #looked = 0;

  /** show draws on canvas until the returned function is called. */
  show(canvas: HTMLCanvasElement): () => void {
    const context = canvas.getContext('2d', { alpha: false, desynchronized: true });
    const end = follow(
      socketUrl,
      {
        path: () => `/v1/preview?width=${canvas.width}`,
        open: () => void (this.#looked = 0),
        message: (m) => {
          if (!(m.data instanceof ArrayBuffer)) {
            this.advice = adviceOf(String(m.data));
            return;
          }
          this.#newest = parseFrame(m.data);
          if (context) void this.#draw(context);
        },
        closed: (code) => {
          this.coach = 'lost';
          this.#looked = Infinity; // a frame that is still being decoded does not say otherwise
          return !code.startsWith('session.');
        },
      },
      true,
    );
    return () => {
      end();
      this.#newest = undefined;
    };
  }

  async #draw(context: CanvasRenderingContext2D): Promise<void> {
    if (this.#drawing) return;
    this.#drawing = true;
    try {
      for (let f = this.#take(); f; f = this.#take()) await this.#one(context, f);
    } finally {
      this.#drawing = false;
    }
  }

  #take(): Frame | undefined {
    const f = this.#newest;
    this.#newest = undefined;
    return f;
  }

  async #one(context: CanvasRenderingContext2D, f: Frame): Promise<void> {
    if (f.jpeg.length === 0) {
      this.coach = coach(f.state);
      return;
    }
    const bitmap = await createImageBitmap(new Blob([f.jpeg], { type: 'image/jpeg' })).catch(() => undefined);
    if (!bitmap) return; // half a frame: the next one comes
    const { canvas } = context;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    context.drawImage(bitmap, 0, 0);
    const now = Date.now();
    this.#figures.drawn(now, now - f.time);
    if (now - this.#looked >= lookEvery) {
      this.#looked = now;
      this.coach = coach(f.state);
      const { fps, p95 } = this.#figures.read(now);
      this.fps = fps;
      this.p95 = p95;
    }
    bitmap.close();
  }
}
