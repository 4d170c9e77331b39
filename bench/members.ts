/** Two people in two Chromium profiles, on one channel over a local network: where the browser benchmarks happen. */
import type { ServiceName } from "../dev/network/protocols.ts";
import type { SeenRequest } from "../dev/network/request-log.ts";
import { ChannelPage } from "../test/support/channel-page.ts";
import type { ChromiumProfile } from "../test/support/chromium.ts";
import { type PageServer, startPageServer } from "../test/support/page-server.ts";
import { Stack } from "../test/support/stack.ts";

export const CONTENT_TOPIC = "/bench/1/room/proto";
const PARAMS = { channelId: "bench", contentTopic: CONTENT_TOPIC, encryption: { mode: "none" } } as const;

export interface Member {
  /** Its node's peer id, as service nodes see it. */
  readonly peer: string;
  readonly profile: ChromiumProfile;
  readonly channel: ChannelPage;
}

export class Members implements AsyncDisposable {
  readonly stack: Stack;
  readonly alice: Member;
  readonly bob: Member;
  readonly #server: PageServer;

  private constructor(stack: Stack, server: PageServer, alice: Member, bob: Member) {
    this.stack = stack;
    this.#server = server;
    this.alice = alice;
    this.bob = bob;
  }

  static async meet(): Promise<Members> {
    const server = await startPageServer({ "/": { html: "<!doctype html><title>Bench</title>" } });
    const stack = await Stack.start();
    try {
      const known = new Set<string>();
      const join = async (senderId: string): Promise<Member> => {
        const profile = await stack.profile();
        const channel = new ChannelPage(await profile.open(server.origin), { ...PARAMS, senderId });
        // The first filter request of a stranger is that of whoever joins now.
        const subscribed = Promise.race(
          stack.network.nodes.map((node) => node.requests.next("filter", ({ peer }) => !known.has(peer))),
        );
        const attached = channel.attach();
        await profile.answerPrompt("always");
        const outcome = await attached;
        if (!outcome.ok) throw new Error(outcome.message);
        const { peer } = await subscribed;
        known.add(peer);
        return { profile, channel, peer };
      };
      return new Members(stack, server, await join("alice"), await join("bob"));
    } catch (reason) {
      await stack.close();
      await server.close();
      throw reason;
    }
  }

  /** The next request of this kind by a member at any service node. */
  nextRequest(service: ServiceName, { peer }: Member): Promise<SeenRequest> {
    const ofMember = (request: SeenRequest) => request.peer === peer;
    return Promise.race(this.stack.network.nodes.map((node) => node.requests.next(service, ofMember)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.close();
    await this.#server.close();
  }
}

/** Stops the worker and resolves once it is gone, without the moments that closing a page takes. */
export async function workerKiller(
  profile: Pick<ChromiumProfile, "context" | "extensionId">,
): Promise<() => Promise<void>> {
  const page = await profile.context.newPage();
  await page.goto(`chrome-extension://${profile.extensionId}/manifest.json`);
  const session = await profile.context.newCDPSession(page);
  const running = new Set<string>();
  let stopped: () => void = () => {};
  session.on("ServiceWorker.workerVersionUpdated", ({ versions }) => {
    for (const { versionId, scriptURL, runningStatus } of versions) {
      if (!scriptURL.includes(profile.extensionId)) continue;
      if (runningStatus === "running") running.add(versionId);
      else if (runningStatus === "stopped" && running.delete(versionId)) stopped();
    }
  });
  await session.send("ServiceWorker.enable");
  return async () => {
    const gone = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    await session.send("ServiceWorker.stopAllWorkers");
    await gone;
  };
}

/** Between two measurements, so that one leaves nothing to do for the next. */
export function settle(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
