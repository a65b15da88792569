"""Errors travel between processes: a pool's worker raises them, its parent catches them whole."""

import copy
import pickle

import pytest

from speedpix_pipe.sdk import SpeedPix, errors
from speedpix_pipe.sdk._models import PredictionState, Status

CLASSES = [getattr(errors, name) for name in errors.__all__]
FACTS = {"error_code": "A1", "api_invoke_id": "i_1", "http_status": 500, "retryable": True, "retry_after": 2.5}
STATE = PredictionState("t1", Status.FAILED, input={"a": 1}, error="no")


def made(kind):
    """An error of the class, with all that it takes."""
    if kind is errors.SubmissionUnknownError:
        return kind(errors.TransportError("reset", **FACTS), workflow_id="wf")
    own = {}
    if kind in (errors.PredictionError, errors.SpeedPixTimeoutError, errors.WaitCanceledError):
        own = {"prediction": STATE}
    elif issubclass(kind, errors.SignatureError):
        own = {"difference": "line 3"}
    return kind("words", **FACTS, **own, remedy="Do this.")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_the_same_after_pickling(kind, protocol):
    error = made(kind)
    error.add_note("seen")
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is kind
    assert vars(again) == vars(error)
    assert (str(again), again.args) == (str(error), error.args)


def test_a_copy_is_the_same():
    error = made(errors.SubmissionUnknownError)
    assert vars(copy.deepcopy(error)) == vars(error)


def test_a_live_prediction_travels_as_what_is_known_of_it():
    with SpeedPix("key", "secret", "https://api.example") as client:
        prediction = client.predictions.handle(STATE)
        with pytest.raises(errors.PredictionError) as caught:
            prediction.raise_for_failure()
    assert caught.value.prediction is prediction
    assert pickle.loads(pickle.dumps(caught.value)).prediction == STATE
    assert caught.value.prediction is prediction
