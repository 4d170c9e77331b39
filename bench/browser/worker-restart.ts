/** From the death of the worker until it is subscribed again and has asked a store node for what it missed. */
import { median } from "../compare.ts";
import { CONTENT_TOPIC, Members, settle, workerKiller } from "../members.ts";
import type { Row } from "../row.ts";
import { SdkExtension } from "../sdk-extension.ts";

const ROUNDS = 7;
const PAUSE_MS = 1_500;
const GOAL = 1.3;

export async function rows(): Promise<readonly Row[]> {
  await using members = await Members.meet();
  const { network } = members.stack;
  await using sdk = await SdkExtension.launch(network, CONTENT_TOPIC);
  const [killOurs, killPeer, wake] = [
    await workerKiller(members.alice.profile),
    await workerKiller(sdk),
    await sdk.waker(),
  ];
  const known = new Set([members.alice.peer, members.bob.peer]);
  const times: { readonly ours: number; readonly peer: number }[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    // Alice's page misses its line and wakes the worker by itself.
    const ours = await restart(killOurs, undefined, (peer) => peer === members.alice.peer);
    // Every life of the bare node has another identity.
    const peer = await restart(killPeer, wake, (peer) => !known.has(peer));
    if (round >= 0) times.push({ ours, peer });
  }
  const ours = median(times.map((round) => round.ours));
  const ratio = median(times.map((round) => round.ours / round.peer));
  return [
    {
      what: "Worker killed, until subscribed and caught up",
      ours,
      unit: "ms",
      peer: { name: "an extension of bare @waku/sdk", value: median(times.map((round) => round.peer)) },
      ratio,
      goal: `≤ ${GOAL}× the time`,
      met: ratio <= GOAL,
    },
  ];

  async function restart(
    kill: () => Promise<void>,
    wake: (() => Promise<unknown>) | undefined,
    isIts: (peer: string) => boolean,
  ): Promise<number> {
    await settle(PAUSE_MS);
    await kill();
    const before = Date.now();
    const answers = Promise.all([first("filter", isIts), first("store", isIts)]);
    await wake?.();
    return Math.max(...(await answers).map(({ at }) => at)) - before;
  }

  function first(service: "filter" | "store", isIts: (peer: string) => boolean) {
    return Promise.race(network.nodes.map((node) => node.requests.next(service, ({ peer }) => isIts(peer))));
  }
}
