"""The sentences that every model card holds: intended use, limits, responsible use, law."""

INTENDED = """\
To describe the expressions that faces in photos and video show, for research, art, interfaces and self-observation by
people who know of it and want it. Input is an upright face, cut out by a detector; the answer is a probability for each
of the emotions listed above, and "unsure" where that is the honest answer.
"""

LIMITS = """\
- An expression is not a feeling. People scowl in only about a third of their anger (Barrett et al. 2019).
- The classes are a coarse convention, and the labels that it learned from are noisy: people disagree on many faces.
- Expect worse than the table on faces that are small, turned, covered or dark, or unlike those of the training data.
- Nobody asked the people in FER2013 who they are, so fairness over age, sex and skin cannot be measured on it, and was
  not. Assume that it differs between groups.
- {outliers}
- Confidence is calibrated on the split named above, and on other kinds of photos only as far as they resemble it.
"""

FACES_ALONE = (
    "It was trained on faces alone. What it says about a crop that holds none is chance; the threshold catches only "
    "some."
)
NO_FACES_TOO = (
    "Pictures of no face were among its training, so it is unsure of many crops that hold none, and still not of all."
)

RESPONSIBLE = """\
Do not use it to decide about people: not for hiring, grading, policing, credit, insurance, diagnosis or lie detection.
Tell people when it is running, ask them first, and keep no images that are not needed. It runs on the machine at hand
and sends nothing anywhere.
"""

LAW = """\
Not legal advice. In the EU, inferring emotions of people at work and in education is prohibited, except for medical or
safety reasons (AI Act, Regulation (EU) 2024/1689, Art. 5(1)(f), since 2 February 2025), and people exposed to an
emotion recognition system must be told (Art. 50(3)). Other uses may count as high-risk.
"""
