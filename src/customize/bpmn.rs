//! Writes a workflow as SOAR stores it: BPMN 2.0, with the process and the diagram for SOAR's editor.

use uuid::Uuid;

/// The id of the start event in every workflow of SOAR.
const START: &str = "StartEvent_155asxm";
/// The layout of the diagram in pixels: the vertical centre of all shapes, their sizes, and their distances.
const MIDDLE: usize = 206;
const EVENT: (usize, usize) = (36, 36);
const TASK: (usize, usize) = (100, 80);
const LEFT: usize = 162;
const STRIDE: usize = 180;

/// A workflow: functions, one after the other.
#[derive(Debug)]
pub(super) struct Process<'a> {
    /// The API name of the workflow.
    pub(super) name: &'a str,
    pub(super) label: &'a str,
    pub(super) description: &'a str,
    pub(super) tasks: Vec<Task<'a>>,
}

/// A function in a workflow.
#[derive(Debug)]
pub(super) struct Task<'a> {
    /// The uuid of the function.
    pub(super) function: &'a str,
    pub(super) label: &'a str,
    /// The inputs and the scripts, as JSON.
    pub(super) settings: String,
}

/// A shape in the line from start to end.
#[derive(Debug)]
struct Node<'a> {
    id: String,
    kind: Kind<'a>,
    /// Left edge in the diagram.
    x: usize,
}

#[derive(Debug)]
enum Kind<'a> {
    Start,
    Task(&'a Task<'a>),
    End,
}

/// The arrow from one node to the next.
#[derive(Debug)]
struct Flow<'a> {
    id: String,
    from: &'a Node<'a>,
    to: &'a Node<'a>,
}

impl Process<'_> {
    /// The complete document.
    pub(super) fn xml(&self) -> String {
        let nodes = self.nodes();
        let flows = self.flows(&nodes);
        let elements: Vec<_> = nodes.iter().map(|node| node.element(&flows)).collect();
        let arrows: Vec<_> = flows.iter().map(Flow::element).collect();
        let shapes: Vec<_> = nodes.iter().map(Node::shape).collect();
        let edges: Vec<_> = flows.iter().map(Flow::edge).collect();
        format!(
            concat!(
                r#"<?xml version="1.0" encoding="UTF-8"?>"#,
                r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL""#,
                r#" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI""#,
                r#" xmlns:omgdc="http://www.omg.org/spec/DD/20100524/DC""#,
                r#" xmlns:omgdi="http://www.omg.org/spec/DD/20100524/DI""#,
                r#" xmlns:resilient="http://resilient.ibm.com/bpmn""#,
                r#" xmlns:xsd="http://www.w3.org/2001/XMLSchema""#,
                r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance""#,
                r#" targetNamespace="http://www.camunda.org/test">"#,
                r#"<process id="{name}" isExecutable="true" name="{label}">"#,
                "<documentation>{description}</documentation>{process}</process>",
                r#"<bpmndi:BPMNDiagram id="BPMNDiagram_1">"#,
                r#"<bpmndi:BPMNPlane bpmnElement="undefined" id="BPMNPlane_1">{diagram}</bpmndi:BPMNPlane>"#,
                "</bpmndi:BPMNDiagram></definitions>"
            ),
            name = escaped(self.name),
            label = escaped(self.label),
            description = escaped(self.description),
            process = [elements, arrows].concat().concat(),
            diagram = [shapes, edges].concat().concat(),
        )
    }

    /// The nodes from start to end.
    fn nodes(&self) -> Vec<Node<'_>> {
        let place = |index: usize| LEFT + STRIDE / 2 + index * STRIDE;
        let mut nodes = vec![Node { id: START.to_owned(), kind: Kind::Start, x: LEFT }];
        for (index, task) in self.tasks.iter().enumerate() {
            let id = self.id("ServiceTask", index);
            nodes.push(Node { id, kind: Kind::Task(task), x: place(index) });
        }
        nodes.push(Node { id: self.id("EndEvent", 0), kind: Kind::End, x: place(self.tasks.len()) });
        nodes
    }

    fn flows<'n>(&self, nodes: &'n [Node<'n>]) -> Vec<Flow<'n>> {
        let pairs = nodes.iter().zip(nodes.iter().skip(1)).enumerate();
        pairs.map(|(index, (from, to))| Flow { id: self.id("SequenceFlow", index), from, to }).collect()
    }

    /// A reproducible id in the form of the editor's ids.
    fn id(&self, kind: &str, index: usize) -> String {
        let unique = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{} {kind} {index}", self.name).as_bytes());
        let suffix: String = unique.simple().to_string().chars().take(7).collect();
        format!("{kind}_{suffix}")
    }
}

impl Node<'_> {
    /// The element of the process.
    fn element(&self, flows: &[Flow<'_>]) -> String {
        let id = &self.id;
        let mut arrows = String::new();
        for flow in flows.iter().filter(|flow| flow.to.id == *id) {
            arrows += &["<incoming>", &flow.id, "</incoming>"].concat();
        }
        for flow in flows.iter().filter(|flow| flow.from.id == *id) {
            arrows += &["<outgoing>", &flow.id, "</outgoing>"].concat();
        }
        match self.kind {
            Kind::Start => format!(r#"<startEvent id="{id}">{arrows}</startEvent>"#),
            Kind::End => format!(r#"<endEvent id="{id}">{arrows}</endEvent>"#),
            Kind::Task(Task { function, label, settings }) => format!(
                concat!(
                    r#"<serviceTask id="{id}" name="{label}" resilient:type="function"><extensionElements>"#,
                    r#"<resilient:function uuid="{function}">{settings}</resilient:function>"#,
                    "</extensionElements>{arrows}</serviceTask>"
                ),
                id = id,
                label = escaped(label),
                function = function,
                settings = escaped(settings),
                arrows = arrows,
            ),
        }
    }

    /// Width and height in the diagram.
    fn size(&self) -> (usize, usize) {
        match self.kind {
            Kind::Start | Kind::End => EVENT,
            Kind::Task(_) => TASK,
        }
    }

    /// The element of the diagram.
    fn shape(&self) -> String {
        let Self { id, x, .. } = self;
        let (width, height) = self.size();
        let y = MIDDLE - height / 2;
        format!(
            concat!(
                r#"<bpmndi:BPMNShape bpmnElement="{id}" id="{id}_di">"#,
                r#"<omgdc:Bounds height="{height}" width="{width}" x="{x}" y="{y}"/></bpmndi:BPMNShape>"#
            ),
            id = id,
            height = height,
            width = width,
            x = x,
            y = y
        )
    }
}

impl Flow<'_> {
    /// The element of the process.
    fn element(&self) -> String {
        let Self { id, from, to } = self;
        format!(r#"<sequenceFlow id="{id}" sourceRef="{}" targetRef="{}"/>"#, from.id, to.id)
    }

    /// The element of the diagram.
    fn edge(&self) -> String {
        format!(
            concat!(
                r#"<bpmndi:BPMNEdge bpmnElement="{id}" id="{id}_di">"#,
                r#"<omgdi:waypoint x="{from}" xsi:type="omgdc:Point" y="{y}"/>"#,
                r#"<omgdi:waypoint x="{to}" xsi:type="omgdc:Point" y="{y}"/></bpmndi:BPMNEdge>"#
            ),
            id = self.id,
            from = self.from.x + self.from.size().0,
            to = self.to.x,
            y = MIDDLE
        )
    }
}

/// Escapes text within an element or an attribute.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            other => xml.push(other),
        }
    }
    xml
}
