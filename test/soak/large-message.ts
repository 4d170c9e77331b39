/**
 * A message of 20 MiB, about 205 segments, between two members over nodes that admit only as much as real ones do: it
 * arrives, and not one push is rejected.
 */
import { startLocalNetwork } from "../../dev/network/local-network.ts";
import { equalBytes } from "../../src/common/bytes.ts";
import { AcceleratedClock } from "../support/accelerated-clock.ts";
import { seededChance } from "../support/peer.ts";
import { Member } from "./member.ts";

const SECOND = 1000;
const PATIENCE_MS = 600 * SECOND;

export interface LargeMessageReport {
  readonly bytes: number;
  /** Pushes by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Milliseconds until the other member had it, and until it counted as sent. */
  readonly receivedMs: number;
  readonly sentMs: number;
}

export async function largeMessage(seed: number, bytes: number): Promise<LargeMessageReport> {
  const { random } = seededChance(seed);
  const clock = new AcceleratedClock(1);
  const network = await startLocalNetwork({ limits: "real", clock });
  const [alice, bob] = [new Member("alice", network, clock), new Member("bob", network, clock)];
  try {
    await Promise.all([alice.start(), bob.start()]);
    const payload = Uint8Array.from({ length: bytes }, () => 256 * random());
    const startedAt = clock.now();
    await alice.send(payload);
    let [receivedMs, sentMs] = [0, 0];
    while (receivedMs === 0 || sentMs === 0) {
      await clock.pass(SECOND);
      const elapsed = clock.now() - startedAt;
      if (elapsed > PATIENCE_MS) throw new Error(`not done after ${PATIENCE_MS / SECOND} s`);
      const received = (await bob.log()).find(({ type }) => type === "reliable:message:received");
      if (received?.type === "reliable:message:received" && receivedMs === 0) {
        if (!equalBytes(received.message, payload)) throw new Error("it arrived with other bytes");
        receivedMs = elapsed;
      }
      const outcome = (await alice.log()).find(
        ({ type }) => type === "reliable:message:sent" || type === "reliable:message:send-error",
      );
      if (outcome?.type === "reliable:message:send-error") throw new Error(outcome.error);
      if (outcome && sentMs === 0) sentMs = elapsed;
    }
    const statuses: Record<string, number> = {};
    for (const { statusCode } of network.nodes.flatMap((node) => node.requests.of("lightpush")))
      statuses[String(statusCode)] = (statuses[String(statusCode)] ?? 0) + 1;
    if (statuses["429"] !== undefined) throw new Error(`${statuses["429"]} pushes were rejected`);
    return { bytes, statuses, receivedMs, sentMs };
  } catch (thrown) {
    throw new Error(`a message of ${bytes} bytes with seed ${seed} failed`, { cause: thrown });
  } finally {
    await Promise.all([alice.stop(), bob.stop()]);
    await network.stop();
  }
}
