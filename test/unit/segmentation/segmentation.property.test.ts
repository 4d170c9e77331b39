import fc from "fast-check";
import { expect, test } from "vitest";
import { concat } from "../../../src/common/bytes.ts";
import { decodeSegment, encodeSegment, shardLength } from "../../../src/segmentation/segment-message.ts";
import { configOf, Harness, messagesOf, patternPayload } from "./support.ts";

test("what is split comes together again, for every size, order of arrival, duplicate and restart", () => {
  const scenario = fc
    .record({
      segmentBytes: fc.integer({ min: 192, max: 600 }),
      sizes: fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 4 }),
    })
    .chain(({ segmentBytes, sizes }) => {
      const config = configOf(segmentBytes);
      const sent = sizes.map((size, i) => {
        const payload = patternPayload(size);
        return { payload, messages: messagesOf(payload, { name: `m${i}.`, config, senderId: `s${i % 2}` }) };
      });
      const messages = sent.flatMap((each) => each.messages);
      return fc.record({
        sent: fc.constant(sent),
        arrivals: fc.shuffledSubarray(messages, { minLength: messages.length }),
        repeated: fc.subarray(messages),
        restarts: fc.array(fc.nat({ max: messages.length })),
      });
    });
  fc.assert(
    fc.property(scenario, ({ sent, arrivals, repeated, restarts }) => {
      const h = new Harness();
      for (const [i, message] of [...arrivals, ...repeated].entries()) {
        h.add(message);
        if (restarts.includes(i)) h.restart();
      }
      for (const { messages } of sent) for (const { messageId } of messages) h.release(messageId);
      expect(h.delivered).toEqual(
        sent.map(({ payload, messages: [first] }) => ({
          senderId: first?.senderId,
          messageId: first?.messageId,
          payload,
        })),
      );
      expect(h.lost).toEqual([]);
      expect(h.storedRows).toEqual({ segmentSets: 0, segments: 0, completedSets: 0, lostIds: 0 });
    }),
  );
});

test("random bytes are never a reason to throw", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 120 }), { maxLength: 10 }), (contents) => {
      const h = new Harness();
      for (const [i, content] of contents.entries()) {
        h.take({ senderId: "s", messageId: `${i}`, content });
        h.take({ senderId: "s", messageId: `h${i}`, content: concat(Uint8Array.of(0x0a, 32), content) });
      }
      h.now += 3_600_000;
      h.expire();
      expect(h.pending).toBe(0);
    }),
  );
});

test("a segment with any byte changed is read or refused, and what is read is written back", () => {
  const [message] = messagesOf(patternPayload(100), { config: configOf(192) });
  const content = message?.content ?? expect.unreachable();
  fc.assert(
    fc.property(fc.nat({ max: content.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Uint8Array.from(content, (byte, i) => (i === at ? byte ^ flip : byte));
      const decoded = decodeSegment(changed);
      if (!decoded.ok) return;
      const { originalPayloadLength } = decoded.value;
      if (originalPayloadLength === undefined || !shardLength(decoded.value).ok) return;
      expect(decodeSegment(encodeSegment({ ...decoded.value, originalPayloadLength }))).toEqual(decoded);
    }),
  );
});
