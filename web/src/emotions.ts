// Names and places of emotions, as Python's contract/emotions.py.

const ALIASES: Readonly<Record<string, string>> = {
  anger: "angry",
  disgusted: "disgust",
  fearful: "fear",
  happiness: "happy",
  joy: "happy",
  sadness: "sad",
  surprised: "surprise",
};

/** Mean valence and arousal, -1..1 (Russell & Mehrabian 1977); emotions that are not here count as the origin. */
const AFFECT: Readonly<Record<string, readonly [number, number]>> = {
  angry: [-0.51, 0.59],
  disgust: [-0.6, 0.35],
  fear: [-0.64, 0.6],
  happy: [0.81, 0.51],
  sad: [-0.63, -0.27],
  surprise: [0.4, 0.67],
  neutral: [0, 0],
};

/** The name used here for a class name: lower case, known aliases replaced. */
export function canonical(name: string): string {
  const plain = name.trim().toLowerCase();
  return Object.hasOwn(ALIASES, plain) ? ALIASES[plain] : plain;
}

/** Project class probabilities onto valence and arousal: a projection, not a measurement. */
export function valenceArousal(scores: Readonly<Record<string, number>>): [valence: number, arousal: number] {
  let [valence, arousal] = [0, 0];
  for (const [name, score] of Object.entries(scores)) {
    const plain = canonical(name);
    const [pleasure, activation] = Object.hasOwn(AFFECT, plain) ? AFFECT[plain] : [0, 0];
    valence += score * pleasure;
    arousal += score * activation;
  }
  return [valence, arousal];
}
