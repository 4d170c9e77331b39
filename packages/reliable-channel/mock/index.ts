/** A mock of `window.reliableChannel` for the tests of sites: the extension itself, over a network and a storage in memory. */
export type {
  MockAnswer,
  MockCall,
  MockFailure,
  MockNetwork,
  MockNetworkOptions,
  MockPage,
  MockProvider,
  MockProviderOptions,
} from "./api.ts";
export { createMockNetwork } from "./network.ts";
