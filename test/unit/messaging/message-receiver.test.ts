/** The messaging layer while nothing can be sent, because what is to be sent cannot be read. */
import { expect, test, vi } from "vitest";
import { FakeServiceNodes } from "../../../packages/reliable-channel/mock/fake-service-nodes.ts";
import type { MessagingEvent } from "../../../src/channel/ports.ts";
import { Journal } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import { LIMITS } from "../../../src/limits.ts";
import { createMessageReceiver } from "../../../src/messaging/messaging-client.ts";
import { MessagingTables } from "../../../src/messaging/messaging-tables.ts";
import { NETWORK_PRESETS } from "../../../src/messaging/network-presets.ts";
import { MessagingBench, TOPIC } from "./messaging-bench.ts";

test("it receives, also what no store has; tasks are left as they are, and carried out by the client that follows", async () => {
  const b = await new MessagingBench().start();
  const requestId = await b.send();
  await b.client.stop();
  const tasks = () => b.storage.scan("messagingTasks", []);
  const before = await tasks();

  const node = b.network.node("a");
  const nodes = new FakeServiceNodes(b.network, () => b.clock.now());
  const journal = new Journal();
  const received: MessagingEvent[] = [];
  const read = vi.spyOn(b.storage, "get");
  const receiver = createMessageReceiver({
    tables: await MessagingTables.load(b.storage, journal),
    transactor: new Transactor(journal, b.storage),
    nodes,
    clock: b.clock,
    network: NETWORK_PRESETS.local,
    newId: () => expect.unreachable("nothing is sent"),
  });
  receiver.listen(async (event) => {
    if (event.type !== "health") received.push(event);
    return true;
  });
  await receiver.start();
  await receiver.subscribe(TOPIC);
  nodes.connect(node);
  await b.clock.settle();
  b.network.publish(b.pubsubTopic(), b.message("kept"));
  b.network.publish(b.pubsubTopic(), { ...b.message("ephemeral"), ephemeral: true });
  await b.clock.advance(2 * LIMITS.messaging.sendWindowMs);
  expect(received).toMatchObject([{ message: { ephemeral: false } }, { message: { ephemeral: true } }]);
  expect(b.network.archive).toHaveLength(1);
  expect(await tasks()).toEqual(before);
  expect(read).not.toHaveBeenCalled();
  expect(receiver.topicHealth(TOPIC)).toBe("MINIMALLY_HEALTHY");
  await receiver.stop();

  await b.restart();
  b.nodes.connect(node);
  await b.clock.advance(2 * LIMITS.messaging.storeCheckMs);
  expect(b.outcome(requestId)).toEqual(["propagated", "sent"]);
});
