/** What is told of messages that do not come, or come too late: once for each message, and before what may depend on it. */
import { describe, expect, test } from "vitest";
import { utf8 } from "../../../src/common/bytes.ts";
import { LIMITS } from "../../../src/limits.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { type Departure, Member } from "../../support/simulation/member.ts";

const START = 1_750_000_000_000;
const NEVER_FOUND = LIMITS.sds.lostAfterMs;

/** A channel of a few members where every message arrives where and when a test says. */
class Channel {
  readonly #members = new Map<string, Member>();
  readonly #ids = new Map<string, string>();
  #now = START;

  member(name: string): Member {
    const member = this.#members.get(name) ?? new Member(name, nimLayout, START - 60_000);
    this.#members.set(name, member);
    return member;
  }

  /** Sends a message of so many parts, whose content is its name. */
  send(sender: string, name: string, parts = 1): readonly Departure[] {
    this.#now += 5_000;
    const { departures } = this.member(sender).send(utf8(name.padEnd(128 * (parts - 1) + 20, ".")), this.#now);
    expect(departures).toHaveLength(parts);
    for (const [part, { messageId }] of departures.entries()) this.#ids.set(messageId, `${name}.${part}`);
    return departures;
  }

  arrive(member: string, ...departures: readonly (Departure | undefined)[]): void {
    for (const departure of departures) {
      if (departure === undefined) throw new Error("no such part");
      const { wire } = departure;
      this.member(member).receive(wire, { now: this.#now, messageHash: "aa".repeat(32), ephemeral: true, random: 0.5 });
    }
  }

  /** Lets time pass for a member, whose every timer is served. */
  pass(member: string, ms: number): void {
    const end = this.#now + ms;
    const waiting = this.member(member);
    for (let next = waiting.nextDeadline; next !== undefined && next <= end; next = waiting.nextDeadline) {
      waiting.tick(next, 0.5);
    }
    this.#now = end;
  }

  /** What a member's log says of others' messages; a message goes by its name, a loss by that of the part it names. */
  log(member: string): readonly string[] {
    return this.member(member).events.flatMap((event) => {
      if (event.type !== "lost" && event.type !== "received") return [];
      const part = this.#ids.get(event.messageId) ?? event.messageId;
      return [event.type === "lost" ? `lost ${part}` : `received ${part.split(".")[0]}`];
    });
  }

  /** The same in the order of the alphabet: what is given up at one time is told in no certain order. */
  sortedLog(member: string): readonly string[] {
    return [...this.log(member)].sort();
  }
}

describe("a message comes after something that depends on it was delivered", () => {
  test("which nobody knew to be missing: its loss is told first", () => {
    const channel = new Channel();
    const first = channel.send("alice", "first");
    channel.arrive("bob", ...first);
    const [one, two] = [channel.send("bob", "one"), channel.send("bob", "two")];
    channel.arrive("carol", ...first, ...one, ...two);
    // What Carol says names both of Bob's messages, and only those lead to Alice's.
    const last = channel.send("carol", "last");
    channel.arrive("dave", ...last);
    channel.pass("dave", NEVER_FOUND);
    expect(channel.sortedLog("dave")).toEqual(["lost one.0", "lost two.0", "received last"]);
    channel.arrive("dave", ...first);
    expect(channel.log("dave").slice(3)).toEqual(["lost first.0", "received first"]);
    channel.arrive("dave", ...one, ...two);
    expect(channel.log("dave").slice(5)).toEqual(["received one", "received two"]);
  });

  test("and all that was missing has come by then: it is in time", () => {
    const channel = new Channel();
    const [beside, lost] = [channel.send("alice", "beside"), channel.send("bob", "lost")];
    channel.arrive("carol", ...lost);
    const last = channel.send("carol", "last");
    channel.arrive("dave", ...last);
    channel.pass("dave", NEVER_FOUND);
    channel.arrive("dave", ...lost, ...beside);
    expect(channel.log("dave")).toEqual(["lost lost.0", "received last", "received lost", "received beside"]);
  });

  test("and is younger than that: it is in time", () => {
    const channel = new Channel();
    const lost = channel.send("bob", "lost");
    channel.arrive("carol", ...lost);
    const last = channel.send("carol", "last");
    const younger = channel.send("alice", "younger");
    channel.arrive("dave", ...last);
    channel.pass("dave", NEVER_FOUND);
    channel.arrive("dave", ...younger);
    expect(channel.log("dave")).toEqual(["lost lost.0", "received last", "received younger"]);
  });

  test("after a restart: its loss is told first all the same", () => {
    const channel = new Channel();
    const first = channel.send("alice", "first");
    channel.arrive("bob", ...first);
    channel.arrive("carol", ...first, ...channel.send("bob", "one"), ...channel.send("bob", "two"));
    channel.arrive("dave", ...channel.send("carol", "last"));
    channel.pass("dave", NEVER_FOUND);
    channel.member("dave").restart();
    channel.arrive("dave", ...first);
    expect(channel.log("dave").slice(3)).toEqual(["lost first.0", "received first"]);
  });
});

describe("what SDS gives up is a message beside one that is here in part", () => {
  test("named by the part that is here: it is not taken for another part", () => {
    const channel = new Channel();
    const before = channel.send("alice", "before");
    const cut = channel.send("alice", "cut", 3);
    const after = channel.send("alice", "after");
    channel.arrive("bob", cut[2], ...after);
    channel.pass("bob", NEVER_FOUND);
    expect(channel.sortedLog("bob")).toEqual(["lost before.0", "lost cut.2", "received after"]);
    channel.arrive("bob", cut[0], cut[1], ...before);
    expect(channel.log("bob").slice(3)).toEqual(["received cut", "received before"]);
  });

  test("right after it, where its end is named by nobody: told when it comes, and so not passed over", () => {
    const channel = new Channel();
    const cut = channel.send("alice", "cut", 3);
    const [one, two, after] = [
      channel.send("alice", "one"),
      channel.send("alice", "two"),
      channel.send("alice", "after"),
    ];
    channel.arrive("bob", cut[0], cut[1], ...after);
    channel.pass("bob", NEVER_FOUND);
    expect(channel.sortedLog("bob")).toEqual(["lost cut.0", "lost two.0", "received after"]);
    channel.arrive("bob", ...one, cut[2], ...two);
    expect(channel.log("bob").slice(3)).toEqual(["received cut", "lost one.0", "received one", "received two"]);
  });

  test("with others of its sender in between: it has a loss of its own", () => {
    const channel = new Channel();
    /** Alice says something that Bob never hears, and something that names it and what Carol said. */
    const missOne = (unheard: string, heard: string) => {
      channel.send("alice", unheard);
      const others = channel.send("carol", `before ${heard}`);
      channel.arrive("alice", ...others);
      channel.arrive("bob", ...others, ...channel.send("alice", heard));
      channel.pass("bob", NEVER_FOUND);
    };
    const cut = channel.send("alice", "cut", 3);
    channel.arrive("bob", cut[0], cut[1]);
    missOne("one", "two");
    missOne("three", "four");
    expect(channel.log("bob").filter((event) => !event.includes("before"))).toEqual([
      "lost cut.0",
      "received two",
      "lost three.0",
      "received four",
    ]);
  });

  test("of another sender: it has a loss of its own", () => {
    const channel = new Channel();
    const other = channel.send("carol", "other");
    const cut = channel.send("alice", "cut", 3);
    channel.arrive("alice", ...other);
    const after = channel.send("alice", "after");
    channel.arrive("bob", cut[0], cut[1], ...after);
    channel.pass("bob", NEVER_FOUND);
    expect(channel.sortedLog("bob")).toEqual(["lost cut.0", "lost other.0", "received after"]);
  });

  test("older than it: it has a loss of its own", () => {
    const channel = new Channel();
    const before = channel.send("alice", "before");
    const cut = channel.send("alice", "cut", 3);
    channel.arrive("bob", ...before);
    channel.arrive("carol", ...channel.send("bob", "reply"), cut[0], cut[1]);
    channel.pass("carol", NEVER_FOUND);
    expect(channel.log("carol")).toEqual(["lost before.0", "received reply"]);
    channel.arrive("carol", cut[2]);
    expect(channel.log("carol").slice(2)).toEqual(["received cut"]);
  });
});

test("the end of a message that is named only by the next periodic sync is looked for as long as any other", () => {
  const channel = new Channel();
  const cut = channel.send("alice", "cut", 3);
  channel.arrive("bob", cut[0], cut[1]);
  channel.pass("bob", 1.25 * LIMITS.sds.syncMaxMs);
  const after = channel.send("alice", "after");
  channel.arrive("bob", ...after);
  channel.pass("bob", NEVER_FOUND - 1_000);
  channel.arrive("bob", cut[2]);
  expect(channel.log("bob")).toEqual(["received cut", "received after"]);
});

describe("a message in several parts is told lost once", () => {
  test("though a message before it is missed too, and nothing tells which of the two its end is", () => {
    const channel = new Channel();
    const old = channel.send("alice", "old");
    const cut = channel.send("alice", "cut", 3);
    channel.arrive("bob", cut[1], ...channel.send("alice", "after"));
    channel.pass("bob", NEVER_FOUND);
    expect(channel.log("bob")).toEqual(["lost cut.0", "received after"]);
    channel.arrive("bob", cut[2], ...old, cut[0]);
    expect(channel.log("bob").slice(2)).toEqual(["lost old.0", "received old", "received cut"]);
  });

  test("though another member named a part of it, having no more", () => {
    const channel = new Channel();
    const before = channel.send("alice", "before");
    const cut = channel.send("alice", "cut", 3);
    channel.arrive("bob", ...before, cut[0]);
    const [between, after] = [channel.send("bob", "between"), channel.send("alice", "after")];
    channel.arrive("carol", ...between, ...after);
    channel.pass("carol", NEVER_FOUND);
    expect(channel.sortedLog("carol")).toEqual(["lost before.0", "lost cut.2", "received after", "received between"]);
  });

  test("though parts of it come late, and are dropped again", () => {
    const channel = new Channel();
    const cut = channel.send("alice", "cut", 3);
    channel.arrive("bob", ...channel.send("alice", "after"));
    channel.pass("bob", NEVER_FOUND);
    channel.arrive("bob", cut[0], cut[1]);
    channel.pass("bob", LIMITS.segmentation.setIdleMs);
    expect(channel.log("bob")).toEqual(["lost cut.2", "received after"]);
  });

  test("though its end is given up after its time was over", () => {
    const channel = new Channel();
    const cut = channel.send("alice", "cut", 3);
    channel.arrive("bob", cut[0], cut[1]);
    channel.pass("bob", LIMITS.segmentation.setIdleMs - 60_000);
    channel.arrive("bob", ...channel.send("alice", "after"));
    channel.pass("bob", 2 * NEVER_FOUND);
    expect(channel.log("bob")).toEqual(["lost cut.0", "received after"]);
  });

  test("and by the id of its first part, where that or the second is here", () => {
    const channel = new Channel();
    const cut = channel.send("alice", "cut", 3);
    channel.arrive("bob", cut[1], ...channel.send("alice", "after"));
    channel.pass("bob", NEVER_FOUND);
    expect(channel.log("bob")).toEqual(["lost cut.0", "received after"]);
    channel.arrive("bob", cut[0], cut[2]);
    expect(channel.log("bob").slice(2)).toEqual(["received cut"]);
  });
});
