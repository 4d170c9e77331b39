/**
 * The words of fingerprints: 256, so that each stands for one byte. Any two differ in at least three letters and within
 * their first four, so that a word misheard or misread is no other word of the list. Their order is part of the format.
 */
const WORDS = `
  album alley amber angle anvil apron atlas attic autumn awning badge baker bamboo banjo barrel basil beach berry
  bishop blanket blossom bonfire border bottle bread broom brush bucket buffalo bundle butter cabin cactus camel
  canoe captain carpet castle cedar cement chalk cheese chimney cinema circle citrus clock clover coconut coffee
  copper cotton cousin cradle crayon cricket crown crystal cushion dagger daisy desert diamond dinner dolphin
  donkey drawer drum dust earth eclipse elbow elephant engine envelope evening falcon farmer feather fence fern
  fiddle fjord flag flute forest fossil fountain funnel galaxy garden garlic gate giraffe glacier glass gondola
  gravel guitar gull gypsum hamlet harvest helmet hood hotel iceberg igloo iguana inch iris island ivory jaguar
  jelly jewel jigsaw juice kayak kernel keyboard kidney king kiosk kitchen koala ladder lagoon lantern lemon
  leopard lettuce lily lizard lobster lynx magnet maple meadow mermaid mirror mitten moss motor mushroom music
  mustard napkin needle nephew night nugget nutmeg oboe ocean octopus olive onion onyx opera orbit orchid ostrich
  palace panda parrot peacock pearl pebble pelican pencil piano pickle pigeon pillow pirate pizza poem polar
  pottery pumpkin puppet puzzle pyramid quartz queen quilt rabbit raccoon radish raft reef ribbon river ruby salad
  sapphire saxophone scarf school scissors sheep shrub siren skirt sleigh snow soup spider spinach sponge squirrel
  stadium stork straw studio sugar summit sunset swan tailor teapot temple thistle thunder toast tornado tractor
  trout trumpet tundra turkey turtle umbrella unicorn urban utensil vacuum vanilla vessel village violin volcano
  voyage vulture waffle walnut wheat window wolf yacht yard yogurt zebra zenith zigzag
`;

export const FINGERPRINT_WORDS: readonly string[] = WORDS.trim().split(/\s+/);
