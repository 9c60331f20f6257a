"""The network of net_tap: the TAP device appears when the edge opens it, and its kernel's end moves to the namespace."""

from lib.namespace import possible, run_outside
from lib.port_network import PortNetwork

__all__ = ["TapNetwork", "possible"]


class TapNetwork(PortNetwork):
    def __init__(self, name, **options):
        self.device = f"pt{self.unique()}"
        super().__init__(name, f"net_tap0,iface={self.device}", **options)

    def attach(self):
        run_outside("ip", "link", "set", self.device, "netns", self.namespace)
        self.use(self.device)
