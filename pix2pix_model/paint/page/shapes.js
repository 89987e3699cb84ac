// Ready-made blocks: outlines in a box of 100 x 100, the size they are dropped in (as parts of the picture's height,
// width first), and the names of classes that they stand for.

const box = "M0 0H100V100H0Z";

const SHAPES = {
  rectangle: { d: box, size: [0.3, 0.22] },
  ellipse: { d: "M50 0A50 50 0 1 1 50 100A50 50 0 1 1 50 0Z", size: [0.28, 0.28] },
  triangle: { d: "M50 0L100 100H0Z", size: [0.3, 0.26] },
  diamond: { d: "M50 0L100 50L50 100L0 50Z", size: [0.14, 0.14] },
  building: { d: "M0 100V30H16V16H34V30H58V0H84V12H100V100Z", size: [0.36, 0.5] },
  house: { d: "M8 100V46H0L50 0L74 22V8H86V33L100 46H92V100Z", size: [0.32, 0.34] },
  roof: { d: "M20 0H80L100 100H0Z", size: [0.4, 0.14] },
  wall: { d: box, size: [0.5, 0.16] },
  facade: { d: box, size: [0.7, 0.7] },
  road: { d: "M41 0H59L100 100H0Z", size: [1, 0.42] },
  path: { d: "M64 0H78L62 100H0Z", size: [0.42, 0.42] },
  band: { d: box, size: [1, 0.3] },
  ground: { d: "M0 100V40C16 16 34 18 52 30C70 42 86 32 100 12V100Z", size: [1, 0.26] },
  mountain: { d: "M0 100L30 30L42 52L66 0L100 100Z", size: [0.7, 0.36] },
  water: { d: "M0 100V16C10 4 22 4 33 12S56 22 67 12S90 2 100 12V100Z", size: [1, 0.28] },
  sky: { d: box, size: [1, 0.36] },
  cloud: { d: "M20 100C-4 100 -6 62 16 60C12 30 40 18 50 42C60 8 96 20 88 54C106 58 104 100 82 100Z", size: [0.34, 0.16] },
  tree: {
    d: "M44 100V70C22 76 6 62 8 44C9 33 14 27 22 24C24 9 36 0 50 0S76 9 78 24C86 27 91 33 92 44C94 62 78 76 56 70V100Z",
    size: [0.3, 0.44],
  },
  bush: { d: "M0 100C-2 68 12 54 25 58C29 26 62 18 72 46C92 44 103 70 100 100Z", size: [0.3, 0.16] },
  pole: { d: box, size: [0.035, 0.56] },
  sign: { d: "M42 100V64A32 32 0 1 1 58 64V100Z", size: [0.1, 0.22] },
  light: { d: "M18 0H82V52H60V100H40V52H18Z", size: [0.08, 0.24] },
  fence: {
    d: "M0 0H10V100H0ZM30 0H40V100H30ZM60 0H70V100H60ZM90 0H100V100H90ZM0 20H100V34H0ZM0 62H100V76H0Z",
    size: [0.46, 0.14],
  },
  car: {
    d: "M0 78V62C0 52 6 48 17 45L30 18C33 12 36 10 42 10H64C70 10 74 12 77 17L89 42C96 45 100 50 100 58V78H91A12 12 0 0 1 67 78H34A12 12 0 0 1 10 78Z",
    size: [0.32, 0.17],
  },
  bus: {
    d: "M5 0H93C98 0 100 4 100 10V84H90A10 10 0 0 1 70 84H31A10 10 0 0 1 11 84H0V8C0 3 2 0 5 0Z",
    size: [0.4, 0.24],
  },
  truck: { d: "M0 0H60V24H80L100 52V84H91A10 10 0 0 1 71 84H30A10 10 0 0 1 10 84H0Z", size: [0.38, 0.26] },
  person: {
    d: "M50 0A14 10 0 1 1 50 20A14 10 0 1 1 50 0ZM30 22H70C84 22 90 28 90 36V58H76V40H72V100H54V66H46V100H28V40H24V58H10V36C10 28 16 22 30 22Z",
    size: [0.1, 0.28],
  },
  bicycle: {
    d: "M20 42A20 29 0 1 1 20 100A20 29 0 1 1 20 42ZM20 54A12 17 0 1 0 20 88A12 17 0 1 0 20 54ZM80 42A20 29 0 1 1 80 100A20 29 0 1 1 80 42ZM80 54A12 17 0 1 0 80 88A12 17 0 1 0 80 54ZM17 72L38 26H28V16H50V26H46L44 34H66L62 12H78V22H70L83 70H77L68 42L52 76H17Z",
    size: [0.22, 0.16],
  },
  window: { d: box, size: [0.11, 0.16] },
  door: { d: box, size: [0.13, 0.28] },
  arch: { d: "M0 100V50A50 50 0 0 1 100 50V100Z", size: [0.2, 0.3] },
  balcony: { d: box, size: [0.3, 0.1] },
  strip: { d: box, size: [0.6, 0.04] },
  pillar: { d: box, size: [0.06, 0.4] },
  shop: { d: box, size: [0.36, 0.2] },
};

const NAMES = {
  building: "building buildings skyscraper tower city",
  house: "house houses hut cabin barn",
  roof: "roof roofs",
  wall: "wall walls",
  facade: "facade front",
  road: "road roads street asphalt lane highway runway track tracks",
  path: "sidewalk sidewalks pavement path parking curb footpath",
  ground: "terrain grass ground earth soil sand hill field lawn meadow dirt snow",
  mountain: "mountain mountains rock rocks hills",
  water: "water sea river lake ocean pool",
  sky: "sky",
  cloud: "cloud clouds fog",
  tree: "tree trees vegetation forest palm plant plants",
  bush: "bush bushes hedge shrub flower flowers",
  pole: "pole poles polegroup post lamp streetlight mast",
  sign: "sign signs signboard",
  light: "light lights trafficlight",
  fence: "fence fences rail guard railing",
  car: "car cars vehicle van caravan taxi",
  bus: "bus buses train tram trailer",
  truck: "truck trucks lorry",
  person: "person persons people pedestrian human man woman rider child",
  bicycle: "bicycle bicycles bike motorcycle motorbike",
  window: "window windows blind blinds shutter",
  door: "door doors gate entrance",
  arch: "bridge tunnel arch",
  balcony: "balcony balconies",
  strip: "cornice sill sills molding moulding ledge",
  pillar: "pillar pillars column columns",
  shop: "shop store storefront",
  diamond: "deco decoration ornament",
};

const SHAPE_OF = new Map(Object.entries(NAMES).flatMap(([shape, names]) => names.split(" ").map((name) => [name, shape])));
const SILHOUETTES = ["rectangle", "ellipse", "triangle", "building", "house", "tree", "road", "car", "person", "pole", "cloud"];
const FORMS = ["rectangle", "ellipse", "triangle"];

// The block of a class: a compound such as "traffic light" goes by its last word that is known.
function shapeFor(className) {
  const words = className.toLowerCase().split(/[^a-z]+/);
  return words.reverse().map((word) => SHAPE_OF.get(word)).find(Boolean);
}

// What the shelf holds: [{ shape, label, color }], where color null stands for the one that is chosen.
export function blocksFor(kind, colors) {
  const free = (shape) => ({ shape, label: shape, color: null });
  if (kind !== "segments") return FORMS.map(free);
  const named = colors.map(({ name, color }) => ({ shape: shapeFor(name), label: name, color })).filter((one) => one.shape);
  return named.length ? [...named, ...FORMS.map(free)] : SILHOUETTES.map(free);
}

export function outlineOf(shape) {
  return SHAPES[shape].d;
}

// Width and height in pixels of a block as it is dropped.
export function sizeOf(shape, width, height) {
  const [across, down] = SHAPES[shape].size;
  return [Math.max(2, Math.round(across === 1 ? width : across * height)), Math.max(2, Math.round(down * height))];
}

export function polygonItem(points) {
  const across = points.filter((_, i) => i % 2 === 0), down = points.filter((_, i) => i % 2 === 1);
  const x = Math.min(...across), y = Math.min(...down);
  const width = Math.max(1, Math.max(...across) - x), height = Math.max(1, Math.max(...down) - y);
  const corners = across.map((one, i) => `${(((one - x) / width) * 100).toFixed(2)} ${(((down[i] - y) / height) * 100).toFixed(2)}`);
  return { kind: "shape", d: `M${corners.join("L")}Z`, x, y, width, height };
}

export function rectangleItem(x, y, endX, endY) {
  const left = Math.floor(Math.min(x, endX)), top = Math.floor(Math.min(y, endY));
  const width = Math.floor(Math.max(x, endX)) + 1 - left, height = Math.floor(Math.max(y, endY)) + 1 - top;
  return { kind: "shape", d: box, x: left, y: top, width, height };
}
