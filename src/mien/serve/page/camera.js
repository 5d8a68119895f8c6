// The camera: permission, and frames as JPEG.
import { S } from "./strings.js";

const WIDTH = 640;
const QUALITY = 0.8;

/** Ask for the camera and show it in `video`; throws an Error with one line for the visitor. */
export async function openCamera(video) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(S.error_camera_insecure);
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: WIDTH }, height: { ideal: 480 }, frameRate: { ideal: 30 }, facingMode: "user" },
      audio: false,
    });
  } catch (error) {
    const words = { NotAllowedError: S.error_camera_denied, NotFoundError: S.error_camera_none };
    throw new Error(words[error.name] || S.error_camera_busy);
  }
  await video.play();
}

export function closeCamera(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { alpha: false });

/** What the camera shows now, as a JPEG blob no wider than 640 pixels; null before its first picture. */
export async function grab(video) {
  if (!video.videoWidth) return null;
  const scale = Math.min(1, WIDTH / video.videoWidth);
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}
