# The texts of the email and of the unsubscribe page. Every language has the same messages; a test compares them.
subject = Back in stock: { $title }
preview = What you were waiting for is here again.
greeting = Hi!
greeting-name = Hi { $name }!
body = Good news: the product you were waiting for is back in stock.
price = Price: { $price }
price-now = Now { $sale }
price-before = Before { $price }
button = See the product
hurry = We can't reserve it for you, so have a look soon.
reason = You get this email because you asked to be told when this product is back in stock. We don't send it again.
unsubscribe = Unsubscribe
support = Questions? Write to { $address }

unsubscribe-title = Unsubscribe
unsubscribe-question = Do you want to stop all back-in-stock emails that you have asked for?
unsubscribe-button = Yes, unsubscribe
unsubscribed-title = You are unsubscribed
unsubscribed-text = You get no more back-in-stock emails.
unsubscribe-one-question = Do you want to stop waiting for this product?
unsubscribed-one-text = You get no email about this product.
unsubscribe-invalid-title = This link doesn't work
unsubscribe-invalid-text = It isn't complete. Open the link in the email again.
unsubscribe-gone-title = This link no longer works
unsubscribe-gone-text = It belongs to a contact that doesn't exist any more. If you still get emails, use the link in the newest one.
