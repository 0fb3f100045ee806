# The actor's image: one message, one process. Build it after `python -m pipelinejobs pin` has written the pins.
FROM python:3.11-slim

WORKDIR /actor
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt

COPY reactor.py config.yml message.jsonschema ./
COPY fsm fsm
COPY pipelinejobs pipelinejobs

# An image without pins does not start: a URL parameter of Abaco could replace what guards the jobs.
RUN sed -i 's/^require_pins: false$/require_pins: true/' config.yml && grep -qx 'require_pins: true' config.yml

# Compiled once here, because each message is a new process, and the user it runs as may write nothing. Readable for all,
# however strict the builder's umask is, because Abaco may run the container as another user.
RUN chmod -R a+rX . && python -m compileall -q fsm pipelinejobs reactor.py && useradd --no-create-home --uid 1000 actor
USER actor

# -E: variables named PYTHON... do nothing; -s: no user's site directory.
CMD ["python", "-Es", "/actor/reactor.py"]
