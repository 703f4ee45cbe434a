//! The list of functions, and that inputs are enforced as declared.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_shows_all_functions_and_their_inputs() {
    let desk = Desk::new().await;
    let all = desk.invoke(&["--list"]);
    assert_eq!((all.code, all.stderr.as_str()), (0, ""));
    for function in Function::ALL {
        let one = desk.invoke(&[function.name(), "--list"]);
        for listed in [&all.stdout, &one.stdout] {
            let described = &listed[listed.find(&format!("{}\n", function.name())).unwrap()..];
            let described = described.split("\n\n").next().unwrap();
            for input in function.spec().inputs {
                let name = format!("    {}{} ", input.name, if input.required { "*" } else { "" });
                let line = described.lines().find(|line| line.starts_with(&name)).unwrap();
                assert!(line.contains(input.kind.name()) && line.ends_with(input.meaning), "{line}");
                for option in input.kind.options() {
                    assert!(described.contains(option), "{option}");
                }
            }
        }
        assert_eq!(one.stdout.matches("exchange_online_").count(), 1, "{}", one.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn required_inputs_are_enforced_as_declared() {
    let desk = Desk::new().await;
    let context = desk.context().await;
    for function in Function::ALL {
        let declared: BTreeSet<_> =
            function.spec().inputs.iter().filter(|input| input.required).map(|input| input.name).collect();
        match function.run(&context, &Inputs::default()).await.map_err(Error::into_kind) {
            Err(ErrorKind::Input(error)) => {
                assert_eq!(
                    error.missing().iter().copied().collect::<BTreeSet<_>>(),
                    declared,
                    "{function:?}"
                );
            }
            // It takes one of several.
            Err(_) => assert!(declared.is_empty(), "{function:?}"),
            Ok(_) => panic!("{function:?} ran without inputs"),
        }
    }
    assert_eq!(desk.sandbox.graph.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_types_are_enforced_as_declared() {
    let desk = Desk::new().await;
    let context = desk.context().await;
    for function in Function::ALL {
        // A list in a list is a value of no kind.
        let wrong: Map<String, Value> =
            function.spec().inputs.iter().map(|input| (input.name.to_owned(), json!([[]]))).collect();
        let message = function.run(&context, &Inputs::new(wrong)).await.unwrap_err().to_string();
        for input in function.spec().inputs {
            let expected = match input.kind {
                InputKind::Text => "a text",
                InputKind::Number => "a whole number",
                InputKind::Boolean => "true or false",
                InputKind::DateTime => "a date and time",
                InputKind::Select(_) => "a choice",
                InputKind::MultiSelect(_) => "a list of choices",
            };
            let complaint = format!("The input \"{}\" must be {expected}", input.name);
            assert!(message.contains(&complaint), "{function:?}: {complaint}\n{message}");
        }
    }
}
