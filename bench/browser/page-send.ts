/** A page sends 100 bytes: until the request reaches a service node, and until the page is told that it is durable. */
import { median } from "../compare.ts";
import { type Member, Members, settle, workerKiller } from "../members.ts";
import { atMost, type Row } from "../row.ts";

const AWAKE_ROUNDS = 15;
const DEAD_ROUNDS = 7;
/** Milliseconds between sends: within what the client allows itself, and sends are not batched with each other. */
const PAUSE_MS = 800;
const AWAKE_GOAL_MS = 15;
const DEAD_GOAL_MS = 250;

interface Sent {
  readonly untilLeft: number;
  readonly untilDurable: number;
}

export async function rows(): Promise<readonly Row[]> {
  await using members = await Members.meet();
  const { alice } = members;
  const awake: Sent[] = [];
  for (let round = -3; round < AWAKE_ROUNDS; round++) {
    await settle(PAUSE_MS);
    const sent = await send(members, alice, round);
    if (round >= 0) awake.push(sent);
  }
  const kill = await workerKiller(alice.profile);
  const dead: Sent[] = [];
  for (let round = 0; round < DEAD_ROUNDS; round++) {
    await settle(2 * PAUSE_MS);
    await kill();
    dead.push(await send(members, alice, round));
  }
  return [
    row("Page send of 100 B until it is at a service node, worker awake", awake.map(left), AWAKE_GOAL_MS),
    row("Page send of 100 B until it is durable, worker awake", awake.map(durable), AWAKE_GOAL_MS),
    row("Page send of 100 B until it is at a service node, worker dead", dead.map(left), DEAD_GOAL_MS),
    row("Page send of 100 B until it is durable, worker dead", dead.map(durable), DEAD_GOAL_MS),
  ];
}

const left = (sent: Sent): number => sent.untilLeft;
const durable = (sent: Sent): number => sent.untilDurable;

function row(what: string, times: readonly number[], limit: number): Row {
  const ours = median(times);
  const note = `${Math.round(Math.min(...times))} to ${Math.round(Math.max(...times))} ms`;
  return { what, ours, unit: "ms", ...atMost(ours, limit, "ms"), note };
}

/** Page and service node share the machine's clock. */
async function send(members: Members, member: Member, round: number): Promise<Sent> {
  const arrived = members.nextRequest("lightpush", member);
  const times = await member.channel.page.evaluate(
    async (text) => {
      const channel = window.testChannel?.channel;
      if (channel === undefined) throw new Error("The channel is not attached");
      const message = new TextEncoder().encode(text);
      const before = performance.timeOrigin + performance.now();
      await channel.send(message);
      return { before, after: performance.timeOrigin + performance.now() };
    },
    `round ${round}`.padEnd(100, "."),
  );
  const { at } = await arrived;
  return { untilLeft: at - times.before, untilDurable: times.after - times.before };
}
