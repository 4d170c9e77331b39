/** The test of bootstrap addresses: a few at a time, each with its outcome in words. */
import type { Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import type { UiPeerTest } from "./background-api.ts";
import type { StatusWords } from "./status.ts";
import type { MessageKey } from "./translate.ts";

/** One address in the list of tests. */
export interface PeerTest<E> {
  readonly address: string;
  /** `undefined` while it is being tested or waits for its turn. */
  readonly outcome: Result<UiPeerTest, E> | undefined;
}

const FAILURES: Readonly<Record<Extract<UiPeerTest, { failed: true }>["kind"], MessageKey>> = {
  "no-answer": "peerTestNoAnswer",
  "no-address": "peerTestNoAddress",
  "empty-list": "peerTestEmptyList",
  unusable: "peerTestUnusable",
};

export function failureWords({ kind }: Extract<UiPeerTest, { failed: true }>): MessageKey {
  return FAILURES[kind];
}

/** Whether a node or a list was found, whatever it offers. */
export function works(outcome: Result<UiPeerTest, unknown>): boolean {
  return outcome.ok && !("failed" in outcome.value);
}

export function testWords({ outcome }: PeerTest<unknown>): StatusWords {
  if (outcome === undefined) return { label: "peerTesting", tone: "busy" };
  return works(outcome) ? { label: "peerTestGood", tone: "good" } : { label: "peerTestBad", tone: "bad" };
}

/**
 * Tests the addresses, as many at once as the background allows. `tell` gets the list now and after every outcome; when it
 * says `false`, nobody wants to know any more, and no further test begins.
 */
export async function testAddresses<E>(
  addresses: readonly string[],
  test: (address: string) => Promise<Result<UiPeerTest, E>>,
  tell: (tests: readonly PeerTest<E>[]) => boolean,
): Promise<void> {
  let tests: readonly PeerTest<E>[] = addresses.map((address) => ({ address, outcome: undefined }));
  let wanted = tell(tests);
  const turns = addresses.entries();
  const worker = async (): Promise<void> => {
    for (const [index, address] of turns) {
      if (!wanted) return;
      const outcome = await test(address);
      tests = tests.with(index, { address, outcome });
      wanted &&= tell(tests);
    }
  };
  await Promise.all(Array.from({ length: LIMITS.messaging.peerTests }, worker));
}
