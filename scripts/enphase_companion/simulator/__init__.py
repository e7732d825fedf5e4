"""A simulated IQ Gateway, Entrez beside it, and the house both are about: to try things without hardware."""

from .simulator import Simulator

__all__ = ["Simulator"]
