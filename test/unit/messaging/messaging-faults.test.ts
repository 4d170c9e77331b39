import fc from "fast-check";
import { expect, test } from "vitest";
import { NO_ANSWER } from "../../../packages/reliable-channel/mock/fake-service-nodes.ts";
import { toHex, utf8 } from "../../../src/common/bytes.ts";
import { err, ok } from "../../../src/common/result.ts";
import { messageHash } from "../../../src/messaging/waku-message.ts";
import { MessagingBench, TOPIC } from "./messaging-bench.ts";

/** What a node does with one push. */
const PUSH_FATES = ["relay", "busy", "throttle", "lone", "no peers", "lost", "lost answer"] as const;
/** What happens between two pushes of time. */
const EVENTS = ["send", "leave", "join", "restart", "store fails", "store works", "wait"] as const;

test("whatever fails and whenever the worker dies, every request ends in exactly one outcome, and sent means stored", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...PUSH_FATES), { minLength: 1, maxLength: 20 }),
      fc.array(fc.tuple(fc.constantFrom(...EVENTS), fc.integer({ min: 0, max: 8_000 })), { maxLength: 25 }),
      async (fates, events) => {
        const b = await new MessagingBench().start();
        const nodes = [b.network.node("a"), b.network.node("b")];
        let pushes = 0;
        let healed = false;
        let storeFails = false;
        for (const node of nodes) {
          const { answerLightpush: relay, answerStore } = node;
          node.answerStore = (query) => (storeFails ? err("connection reset") : answerStore(query));
          node.answerLightpush = (pubsubTopic, message) => {
            const answer = (status: number) => ok({ status, statusText: "", relayPeerCount: 0 });
            switch (healed ? "relay" : fates[pushes++ % fates.length]) {
              case "busy":
                return answer(503);
              case "throttle":
                return answer(429);
              case "lone":
                b.network.publish(pubsubTopic, message);
                return answer(505);
              case "no peers":
                return answer(505);
              case "lost":
                return NO_ANSWER;
              case "lost answer":
                b.network.publish(pubsubTopic, message);
                return NO_ANSWER;
              default:
                return relay(pubsubTopic, message);
            }
          };
        }
        b.nodes.connect(...nodes);
        await b.client.subscribe(TOPIC);
        const sent = new Map<string, string>();
        for (const [event, pauseMs] of events) {
          switch (event) {
            case "send": {
              const text = `message ${sent.size}`;
              sent.set(text, await b.send({ payload: utf8(text) }));
              break;
            }
            case "leave":
              b.nodes.disconnect(...nodes);
              break;
            case "join":
              b.nodes.connect(...nodes);
              break;
            case "restart":
              await b.restart();
              b.nodes.connect(...nodes);
              await b.client.subscribe(TOPIC);
              break;
            case "store fails":
            case "store works":
              storeFails = event === "store fails";
          }
          await b.clock.advance(pauseMs);
        }
        healed = true;
        storeFails = false;
        b.nodes.connect(...nodes);
        await b.clock.advance(150_000);

        const ids = new Set(sent.values());
        const stored = new Map(
          b.network.archive.map((entry) => [toHex(messageHash(entry.pubsubTopic, entry.message)), entry]),
        );
        for (const { event } of b.told) if ("requestId" in event) expect(ids).toContain(event.requestId);
        for (const [text, id] of sent) {
          const told = b.eventsOf(id);
          const types = told.map(({ type }) => type);
          expect(types.filter((type) => type !== "propagated")).toHaveLength(1);
          expect(types.at(-1)).not.toBe("propagated");
          const last = told.at(-1);
          if (last?.type !== "sent") continue;
          expect(types[0]).toBe("propagated");
          expect(stored.get(last.messageHash)?.message.payload).toEqual(utf8(text));
        }
        // Every stored message was received, none was made up.
        expect(new Set(b.received())).toEqual(
          new Set(b.network.archive.map((entry) => new TextDecoder().decode(entry.message.payload))),
        );
        await b.client.stop();
      },
    ),
    { numRuns: 60 },
  );
});
