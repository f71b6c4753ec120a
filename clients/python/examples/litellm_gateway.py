"""LiteLLM with every call metered; WATTOKEN_URL and WATTOKEN_API_KEY are in the environment.

For the LiteLLM proxy put this file beside its config.yaml, and there::

    litellm_settings:
      callbacks: ["litellm_gateway.wattoken_logger"]
"""

import litellm
from wattoken.client import Meter
from wattoken.client.litellm import WattokenLogger

wattoken_logger = WattokenLogger(Meter.from_env())

if __name__ == "__main__":
    litellm.callbacks = [wattoken_logger]
    answer = litellm.completion(
        model="openai/gpt-4o",
        messages=[{"role": "user", "content": "What does a token cost?"}],
        mock_response="It depends on the time of day.",
    )
    print(answer.usage)
