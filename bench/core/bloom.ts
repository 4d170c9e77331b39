/** The bloom filter: an id it has not met before is hashed and inserted, or hashed and looked up. */
import { DefaultBloomFilter } from "../../node_modules/@waku/sds/dist/bloom_filter/bloom.js";
import { BloomFilter, filterShape } from "../../src/sds/bloom-filter.ts";
import { nimLayout } from "../../src/sds/nim-layout.ts";
import { compare } from "../compare.ts";
import { historyId } from "../history.ts";
import { atLeast, type Row } from "../row.ts";
import { FILTER_OPTIONS, PEER } from "../waku-sds.ts";

const IDS = Array.from({ length: 2_000 }, (_, at) => historyId(at));
const PEER_IDS = IDS.slice(0, 200);

export async function rows(): Promise<readonly Row[]> {
  const insert = await compare(
    {
      times: IDS.length,
      prepare: () => () => {
        const filter = BloomFilter.empty(filterShape(FILTER_OPTIONS.capacity, FILTER_OPTIONS.errorRate));
        for (const id of IDS) filter.insert(nimLayout.hashPair(id));
      },
    },
    {
      times: PEER_IDS.length,
      prepare() {
        const filter = new DefaultBloomFilter(FILTER_OPTIONS);
        return () => {
          for (const id of PEER_IDS) filter.insert(id);
        };
      },
    },
  );
  const ours = BloomFilter.empty(filterShape(FILTER_OPTIONS.capacity, FILTER_OPTIONS.errorRate));
  const peer = new DefaultBloomFilter(FILTER_OPTIONS);
  for (const id of IDS) ours.insert(nimLayout.hashPair(id));
  for (const id of PEER_IDS) peer.insert(id);
  const lookUp = await compare(
    {
      times: IDS.length,
      prepare: () => () => {
        for (const id of IDS) if (!ours.has(nimLayout.hashPair(id))) throw new Error("A false negative");
      },
    },
    {
      times: PEER_IDS.length,
      prepare: () => () => {
        for (const id of PEER_IDS) if (!peer.lookup(id)) throw new Error("A false negative");
      },
    },
  );
  return [["Bloom insert, a new id", insert] as const, ["Bloom lookup, a new id", lookUp] as const].map(
    ([what, { ours, peer, ratio }]) => ({
      what,
      ours,
      unit: "µs",
      peer: { name: PEER, value: peer },
      ...atLeast(ratio, 10),
    }),
  );
}
