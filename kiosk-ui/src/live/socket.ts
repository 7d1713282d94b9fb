// A websocket that comes back by itself.

export interface Handlers {
  /** path is asked anew at each connection, so that it can say where to go on. */
  path(): string;
  message(event: MessageEvent): void;
  open?(): void;
  /** code of the post's error form, '' for a connection that broke. Return false to stay away. */
  closed(code: string): boolean;
}

const firstWait = 250; // ms
const longestWait = 5000; // ms

/** follow connects until the returned function is called. */
export function follow(url: (path: string) => string, h: Handlers, binary = false): () => void {
  let ended = false;
  let wait = firstWait;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let socket: WebSocket | undefined;
  const connect = (): void => {
    const s = new WebSocket(url(h.path()));
    socket = s;
    if (binary) s.binaryType = 'arraybuffer';
    s.onopen = () => {
      wait = firstWait;
      h.open?.();
    };
    s.onmessage = (m: MessageEvent) => {
      if (!ended) h.message(m);
    };
    s.onclose = (c: CloseEvent) => {
      if (ended || !h.closed(c.code === 1008 ? c.reason : '')) return;
      timer = setTimeout(connect, wait);
      wait = Math.min(wait * 2, longestWait);
    };
  };
  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    socket?.close();
  };
}
