/**
 * Tabs of this origin lend each other the page key, so that a second tab needs no second log-in. An origin includes
 * the port: a page of another server on this machine hears nothing. Knows one BroadcastChannel and nothing else.
 */

const CHANNEL = "tailrace.key";
const PATIENCE = 400; // milliseconds a tab waits for another to answer

type Message = { ask: true } | { key: string };

/** Answer tabs that ask, for as long as this tab has a key. */
export function lendKey(current: () => string | undefined): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    const key = current();
    if ("ask" in data && key !== undefined) channel.postMessage({ key });
  };
}

/** The key of another tab, or undefined when none answers in time. */
export function borrowKey(patience = PATIENCE): Promise<string | undefined> {
  return new Promise((resolve) => {
    const channel = new BroadcastChannel(CHANNEL);
    const done = (key?: string) => {
      clearTimeout(timer);
      channel.close();
      resolve(key);
    };
    const timer = setTimeout(done, patience);
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if ("key" in data) done(data.key);
    };
    channel.postMessage({ ask: true });
  });
}
