"""The chart on a real control plane (support/control_plane.py): its objects are taken or refused by the real API server
and become pods by the real controllers and the real scheduler. The pods run nowhere: kwok says that they do."""

from collections.abc import Iterator

import pytest

from support.chart import Helm, installed_helm
from support.control_plane import ControlPlane, installed_programs


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(installed_programs(), tmp_path_factory.mktemp("kube"))
    try:
        plane.make_volumes(24)
        yield plane
    finally:
        plane.close()


@pytest.fixture(scope="session")
def helm(control_plane: ControlPlane) -> Helm:
    return installed_helm().of_cluster(control_plane.kubeconfig)
