// A page that uses the package, for the type test: it is never run, and `npm run typecheck` reads it against the built types.
import { Mien, MienError } from "mien";
import type { Face, FrameResult, ModelCard } from "mien";
import { MoodTracker, Tracker } from "mien/mood";

export async function watch(video: HTMLVideoElement, say: (words: string) => void): Promise<void> {
  const mien = await Mien.load({ models: "./models/", model: "nano", detector: "blazeface", priors: "balanced" });
  const card: ModelCard = mien.card;
  const labels: readonly string[] = card.labels;
  const [people, moods] = [new Tracker(5), new MoodTracker()];
  try {
    const frame: FrameResult = await mien.recognize(video, { thorough: false });
    const [face]: readonly Face[] = frame.faces;
    const score: number = face.scores[labels[0]];
    say(`${face.emotion} ${score} ${face.accepted} ${face.box_xyxy[0]}`);
    for (const mood of moods.update(people.follow(frame, performance.now() / 1000))) say(`${mood.label} ${mood.stress_index ?? "-"}`);
  } catch (error) {
    if (error instanceof MienError) say(error.code);
  }
  // @ts-expect-error a detector that does not exist
  await Mien.load({ models: "./models/", detector: "haar" });
  // @ts-expect-error the folder of the models is needed
  await Mien.load({});
  // @ts-expect-error a path is not an image
  await mien.recognize("face.jpg");
}
