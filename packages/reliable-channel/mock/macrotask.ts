/** Timers of the surroundings, taken at the start: a test that replaces them later does not stop the mock. */
const { clearTimeout, MessageChannel, setTimeout } = globalThis;
const immediately: ((callback: () => void) => unknown) | undefined = globalThis.setImmediate;

/** Resolves once no microtask is left: chains of promises of any length have come to rest. */
export const macrotask: () => Promise<void> =
  immediately === undefined
    ? () =>
        new Promise((resolve) => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => {
            port1.close();
            resolve();
          };
          port2.postMessage(undefined);
        })
    : () => new Promise((resolve) => immediately(resolve));

/** Calls back after `ms` outside. Returns what cancels it. */
export function afterOutside(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}
