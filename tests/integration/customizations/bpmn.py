"""Reads workflows and playbooks as BPMN, on standard input as a JSON list of texts; writes what is in each as JSON.

A text that is not well-formed ends it with an error.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
DI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
OMGDI = "{http://www.omg.org/spec/DD/20100524/DI}"
OMGDC = "{http://www.omg.org/spec/DD/20100524/DC}"
SOAR = "{http://resilient.ibm.com/bpmn}"


def texts(element, name):
    return [child.text for child in element.findall(BPMN + name)]


def node(element):
    function = element.find(BPMN + "extensionElements/" + SOAR + "function")
    script = element.find(BPMN + "extensionElements/" + SOAR + "script")
    return {
        "kind": element.tag.replace(BPMN, ""),
        "id": element.get("id"),
        "type": element.get(SOAR + "type"),
        "incoming": texts(element, "incoming"),
        "outgoing": texts(element, "outgoing"),
        "function": None if function is None else function.get("uuid"),
        "settings": None if function is None else json.loads(function.text),
        "script": None if script is None else script.get("uuid"),
        "says": element.get(SOAR + "documentation"),
    }


def workflow(text):
    root = ElementTree.fromstring(text)
    process = root.find(BPMN + "process")
    plane = root.find(DI + "BPMNDiagram/" + DI + "BPMNPlane")
    nodes = [node(element) for element in process
             if element.tag not in (BPMN + "documentation", BPMN + "sequenceFlow")]
    return {
        "root": root.tag.replace(BPMN, ""),
        "process": process.get("id"),
        "name": process.get("name"),
        "executable": process.get("isExecutable"),
        "documentation": process.findtext(BPMN + "documentation"),
        "nodes": nodes,
        "flows": [[flow.get("id"), flow.get("sourceRef"), flow.get("targetRef")]
                  for flow in process.findall(BPMN + "sequenceFlow")],
        "plane": plane.get("bpmnElement"),
        "shapes": [[shape.get("bpmnElement"), len(shape.findall(OMGDC + "Bounds"))]
                   for shape in plane.findall(DI + "BPMNShape")],
        "edges": [[edge.get("bpmnElement"), len(edge.findall(OMGDI + "waypoint"))]
                  for edge in plane.findall(DI + "BPMNEdge")],
    }


json.dump([workflow(text) for text in json.load(sys.stdin)], sys.stdout)
