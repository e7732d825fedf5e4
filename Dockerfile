# The scripts, for compose.yaml: no root, nothing but Python and what they need.
FROM python:3.14-slim

COPY pyproject.toml README.md LICENSE tests/requirements-scripts.txt /source/
COPY custom_components/enphase_iq_gateway/enphase_api /source/custom_components/enphase_iq_gateway/enphase_api
COPY scripts/enphase_companion /source/scripts/enphase_companion
# The versions that the tests run with; uv checks their hashes.
RUN pip install --no-cache-dir "uv>=0.9" \
    && uv pip install --system --no-cache --constraint /source/requirements-scripts.txt \
        "/source[amqp,database,plot,metrics]" \
    && pip uninstall --yes uv \
    && rm -rf /source \
    && useradd --uid 1000 --create-home enphase \
    && install -d -o enphase -g enphase /state /output
USER enphase

# Where settings.py looks, in the words of systemd, whose place Docker has here.
ENV ENPHASE_CONFIGURATION=/configuration CREDENTIALS_DIRECTORY=/run/secrets STATE_DIRECTORY=/state
VOLUME /state
WORKDIR /state
