// A drawn face whose mouth follows valence and whose eyes and brows follow arousal: what stands for a person where the
// picture is hidden. It shows the figures, not the person.

/** Draw a face of radius `r` around (x, y); valence and arousal are -1..1. */
export function drawFace(context, x, y, r, { valence, arousal }, fill, ink) {
  context.save();
  context.translate(x, y);
  context.scale(r / 50, r / 50);
  context.lineCap = context.lineJoin = "round";
  context.fillStyle = fill;
  context.beginPath();
  context.ellipse(0, 0, 44, 48, 0, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = context.strokeStyle = ink;
  context.lineWidth = 3.6;

  const open = 3.6 + 2.6 * Math.max(0, arousal); // eyes widen
  for (const side of [-1, 1]) {
    context.beginPath();
    context.ellipse(side * 16, -6, 4.2, open, 0, 0, 2 * Math.PI);
    context.fill();
    // Inner ends of the brows: down when unpleasant and excited, up when unpleasant and calm.
    const inner = valence < 0 ? -valence * arousal * 16 : 0;
    const lift = -20 - 6 * Math.max(0, arousal) * (valence < 0 ? 0.3 : 1);
    context.beginPath();
    context.moveTo(side * 25, lift + 3 - inner * 0.3);
    context.quadraticCurveTo(side * 16, lift - 4, side * 8, lift + 1 + inner);
    context.stroke();
  }

  const curve = 20 * valence;
  const gape = Math.max(0, arousal - 0.25) * (valence > -0.2 ? 20 : 8);
  const half = 18 - 26 * Math.max(0, arousal - Math.abs(valence)); // more excited than pleasant: rounder, as in surprise
  const ends = 20 - curve * 0.35;
  context.beginPath();
  context.moveTo(-half, ends);
  context.quadraticCurveTo(0, 20 + curve, half, ends);
  if (gape > 2) {
    context.quadraticCurveTo(0, 20 + curve + gape * 1.8, -half, ends);
    context.closePath();
    context.fill();
  }
  context.stroke();
  context.restore();
}
