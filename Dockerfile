# The scripts, for compose.yaml: no root, nothing but Python and what they need.
FROM python:3.13-slim

COPY pyproject.toml README.md LICENSE /source/
COPY custom_components/enphase_iq_gateway/enphase_api /source/custom_components/enphase_iq_gateway/enphase_api
COPY scripts/enphase_companion /source/scripts/enphase_companion
RUN pip install --no-cache-dir "/source[amqp,database,plot,metrics]" \
    && rm -rf /source \
    && useradd --uid 1000 --create-home enphase \
    && install -d -o enphase -g enphase /state /output
USER enphase

# Where settings.py looks, in the words of systemd, whose place Docker has here.
ENV ENPHASE_CONFIGURATION=/configuration CREDENTIALS_DIRECTORY=/run/secrets STATE_DIRECTORY=/state
VOLUME /state
WORKDIR /state
