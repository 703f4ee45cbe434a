//! Writes a workflow or a playbook as SOAR stores it: BPMN 2.0, with the process and the diagram for SOAR's editor.

use uuid::Uuid;

/// The id of the start event in every workflow and playbook of SOAR.
const START: &str = "StartEvent_155asxm";

/// A process: functions and scripts, one after the other.
#[derive(Debug)]
pub(super) struct Process<'a> {
    pub(super) style: Style,
    /// The id by which SOAR runs it.
    pub(super) id: &'a str,
    pub(super) label: &'a str,
    pub(super) description: &'a str,
    pub(super) tasks: Vec<Task<'a>>,
}

/// The two kinds of processes. Their editors name and draw things differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Drawn from left to right.
    Workflow,
    /// Drawn from top to bottom.
    Playbook,
}

/// A step of a process.
#[derive(Debug)]
pub(super) enum Task<'a> {
    Function {
        /// The uuid of the function.
        uuid: &'a str,
        label: &'a str,
        /// The inputs and the scripts, as JSON.
        settings: String,
    },
    Script {
        /// The uuid of the script.
        uuid: String,
        label: &'a str,
    },
}

/// A shape in the line from start to end.
#[derive(Debug)]
struct Node<'a> {
    style: Style,
    id: String,
    kind: Kind<'a>,
    /// How far from the start of the line it begins, in pixels.
    offset: usize,
}

#[derive(Debug, Clone, Copy)]
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

impl Style {
    /// Where the line begins, in pixels.
    fn begin(self) -> usize {
        match self {
            Self::Workflow => 162,
            Self::Playbook => 65,
        }
    }

    /// The distance from one node to the next.
    fn stride(self) -> usize {
        match self {
            Self::Workflow => 180,
            Self::Playbook => 150,
        }
    }

    /// The centre of all shapes, across the line.
    fn middle(self) -> usize {
        match self {
            Self::Workflow => 206,
            Self::Playbook => 721,
        }
    }

    /// What a point of an arrow needs in addition to its place.
    fn point(self) -> &'static str {
        match self {
            Self::Workflow => r#" xsi:type="omgdc:Point""#,
            Self::Playbook => "",
        }
    }

    /// Width and height of a shape.
    fn size(self, kind: Kind<'_>) -> (usize, usize) {
        match (self, kind) {
            (Self::Workflow, Kind::Start | Kind::End) => (36, 36),
            (Self::Workflow, Kind::Task(_)) => (100, 80),
            (Self::Playbook, Kind::Start) => (188, 52),
            (Self::Playbook, Kind::Task(_)) => (196, 84),
            (Self::Playbook, Kind::End) => (132, 52),
        }
    }
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
        let plane = match self.style {
            Style::Workflow => "undefined",
            Style::Playbook => self.id,
        };
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
                r#"<process id="{id}" isExecutable="true" name="{label}">"#,
                "<documentation>{description}</documentation>{process}</process>",
                r#"<bpmndi:BPMNDiagram id="BPMNDiagram_1">"#,
                r#"<bpmndi:BPMNPlane bpmnElement="{plane}" id="BPMNPlane_1">{diagram}</bpmndi:BPMNPlane>"#,
                "</bpmndi:BPMNDiagram></definitions>"
            ),
            id = escaped(self.id),
            label = escaped(self.label),
            description = escaped(self.description),
            process = [elements, arrows].concat().concat(),
            plane = escaped(plane),
            diagram = [shapes, edges].concat().concat(),
        )
    }

    /// The nodes from start to end.
    fn nodes(&self) -> Vec<Node<'_>> {
        let style = self.style;
        let kinds = self.tasks.iter().map(Kind::Task).chain([Kind::End]);
        let mut nodes = vec![Node { style, id: START.to_owned(), kind: Kind::Start, offset: style.begin() }];
        for (index, kind) in kinds.enumerate() {
            let id = match (style, kind) {
                (Style::Workflow, Kind::End) => self.unique("EndEvent", 0),
                (Style::Workflow, _) => self.unique("ServiceTask", index),
                (Style::Playbook, Kind::End | Kind::Start) => format!("EndPoint_{}", index + 1),
                (Style::Playbook, Kind::Task(Task::Function { .. })) => format!("ServiceTask_{}", index + 1),
                (Style::Playbook, Kind::Task(Task::Script { .. })) => format!("ScriptTask_{}", index + 1),
            };
            let before = match style {
                Style::Workflow => style.stride() / 2,
                Style::Playbook => style.stride(),
            };
            nodes.push(Node { style, id, kind, offset: style.begin() + before + index * style.stride() });
        }
        nodes
    }

    fn flows<'n>(&self, nodes: &'n [Node<'n>]) -> Vec<Flow<'n>> {
        let kind = match self.style {
            Style::Workflow => "SequenceFlow",
            Style::Playbook => "Flow",
        };
        let pairs = nodes.iter().zip(nodes.iter().skip(1)).enumerate();
        pairs.map(|(index, (from, to))| Flow { id: self.unique(kind, index), from, to }).collect()
    }

    /// A reproducible id in the form of the editor's ids.
    fn unique(&self, kind: &str, index: usize) -> String {
        let unique = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{} {kind} {index}", self.id).as_bytes());
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
        match (self.kind, self.style) {
            (Kind::Start, _) => format!(r#"<startEvent id="{id}">{arrows}</startEvent>"#),
            (Kind::End, Style::Workflow) => format!(r#"<endEvent id="{id}">{arrows}</endEvent>"#),
            (Kind::End, Style::Playbook) => {
                format!(r#"<endEvent id="{id}" resilient:documentation="End point">{arrows}</endEvent>"#)
            }
            (Kind::Task(Task::Function { uuid, label, settings }), _) => format!(
                concat!(
                    r#"<serviceTask id="{id}" name="{label}" resilient:type="function"><extensionElements>"#,
                    r#"<resilient:function uuid="{uuid}">{settings}</resilient:function>"#,
                    "</extensionElements>{arrows}</serviceTask>"
                ),
                id = id,
                label = escaped(label),
                uuid = uuid,
                settings = escaped(settings),
                arrows = arrows,
            ),
            (Kind::Task(Task::Script { uuid, label }), _) => format!(
                concat!(
                    r#"<scriptTask id="{id}" name="{label}"><extensionElements>"#,
                    r#"<resilient:script uuid="{uuid}"/></extensionElements>{arrows}"#,
                    // SOAR's editor writes this word in place of a text.
                    "<script>script</script></scriptTask>"
                ),
                id = id,
                label = escaped(label),
                uuid = uuid,
                arrows = arrows,
            ),
        }
    }

    /// The element of the diagram.
    fn shape(&self) -> String {
        let (width, height) = self.style.size(self.kind);
        let middle = self.style.middle();
        let (x, y) = match self.style {
            Style::Workflow => (self.offset, middle - height / 2),
            Style::Playbook => (middle - width / 2, self.offset),
        };
        format!(
            concat!(
                r#"<bpmndi:BPMNShape bpmnElement="{id}" id="{id}_di">"#,
                r#"<omgdc:Bounds height="{height}" width="{width}" x="{x}" y="{y}"/></bpmndi:BPMNShape>"#
            ),
            id = self.id,
            height = height,
            width = width,
            x = x,
            y = y
        )
    }

    /// Where it ends, along the line.
    fn end(&self) -> usize {
        let (width, height) = self.style.size(self.kind);
        self.offset
            + match self.style {
                Style::Workflow => width,
                Style::Playbook => height,
            }
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
        let style = self.from.style;
        let point = |along: usize| {
            let (x, y) = match style {
                Style::Workflow => (along, style.middle()),
                Style::Playbook => (style.middle(), along),
            };
            format!(r#"<omgdi:waypoint x="{x}"{} y="{y}"/>"#, style.point())
        };
        format!(
            r#"<bpmndi:BPMNEdge bpmnElement="{id}" id="{id}_di">{}{}</bpmndi:BPMNEdge>"#,
            point(self.from.end()),
            point(self.to.offset),
            id = self.id,
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
