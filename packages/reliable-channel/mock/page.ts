/** One life of a page: the real page client and the real bridge, over ports in memory. */
import type { Clock } from "../../../src/common/clock.ts";
import { bridge } from "../../../src/provider/bridge.ts";
import type {
  BackgroundFrame,
  CallError,
  LinkFrame,
  Method,
  PageFrame,
  ResetFrame,
} from "../../../src/provider/frames.ts";
import { createPageClient } from "../../../src/provider/page-client.ts";
import type { ProviderInfo, ReliableChannelProvider } from "../../../src/provider/provider-api.ts";
import { EXTENSION_ID } from "./background.ts";
import { FakeMessagePort, FakePort } from "./fake-ports.ts";

const INFO: Omit<ProviderInfo, "uuid"> = {
  name: "Reliable Channel (mock)",
  icon: "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E",
  rdns: "mock.reliable-channel",
  version: "0.0.0",
};

export interface PageParts {
  readonly origin: string;
  readonly clock: Clock;
  /** A port of the page arrives at the background. */
  readonly connect: (port: FakePort) => void;
  /** The error that this call is to end with, instead of being made. */
  readonly failureOf: (method: Method) => CallError | undefined;
}

export class Page {
  readonly provider: ReliableChannelProvider;
  /** To be called when the extension was updated: the page's end of it is an orphan. */
  readonly orphan: () => void;
  readonly #ports: FakePort[] = [];
  #closed = false;

  constructor({ origin, clock, connect, failureOf }: PageParts) {
    const [pageEnd, bridgeEnd] = FakeMessagePort.pair<BackgroundFrame | LinkFrame, PageFrame | ResetFrame>();
    const client = createPageClient(
      {
        post: (frame) => {
          if (this.#closed) return;
          const error = frame.type === "call" ? failureOf(frame.method) : undefined;
          if (frame.type !== "call" || !error) pageEnd.postMessage(frame);
          else queueMicrotask(() => client.receive({ type: "answer", callId: frame.callId, ok: false, error }));
        },
        uuid: () => crypto.randomUUID(),
        after: (delayMs, callback) =>
          clock.after(delayMs, () => {
            if (!this.#closed) callback();
          }),
        now: () => clock.now(),
        report: reportUncaught,
      },
      { ...INFO, uuid: crypto.randomUUID() },
    );
    pageEnd.onmessage = ({ data }) => {
      if (!this.#closed) client.receive(data);
    };
    this.provider = client.provider;
    // Whoever opens a page looks at it.
    client.focused();
    let installed = true;
    const { invalidated } = bridge(bridgeEnd, () => ({
      id: installed ? EXTENSION_ID : undefined,
      connect: ({ name }) => {
        const { client: port, server } = FakePort.pair(name, { id: EXTENSION_ID, origin, frameId: 0 });
        this.#ports.push(port);
        connect(server);
        return port;
      },
    }));
    this.orphan = () => {
      installed = false;
      invalidated();
    };
  }

  /** The page goes away, in the middle of whatever it does. */
  close(): void {
    this.#closed = true;
    for (const port of this.#ports) port.disconnect();
  }
}

/** What a listener threw comes up as an uncaught exception of the test, as it would in the page. */
function reportUncaught(thrown: unknown): void {
  if (typeof reportError === "function") reportError(thrown);
  else
    queueMicrotask(() => {
      throw thrown;
    });
}
