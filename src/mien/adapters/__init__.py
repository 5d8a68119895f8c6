"""The calls of other packages, answered by mien: change one import and keep the rest of your program.

    from mien.adapters.deepface import DeepFace              # DeepFace.analyze("photo.jpg", actions=["emotion"])
    from mien.adapters.fer import FER, Video                 # FER().detect_emotions(img_bgr)
    from mien.adapters.emotiefflib import EmotiEffLibRecognizer, HSEmotionRecognizer
    from mien.adapters.pyfeat import Detector                # Detector().detect("photo.jpg")
    from mien.adapters.sklearn import FaceEmotionClassifier  # fit(X, y) on crops or on embeddings

Each adapter takes the peer's arguments and returns the peer's shapes, units and label order. What a peer offers and
mien does not (age, gender, race, action units, URLs) is refused in one sentence. Where a peer has seven emotions and
the model has eight, the seven are rescaled so that they sum to 1: they are then conditional on "not contempt".
"""
